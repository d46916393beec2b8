/**
 * What the kernel and its modules export, from the `Module.symvers` that their build wrote: lines of
 * CRC, symbol, object, kind and namespace, divided by tabs.
 * Source: Documentation/kbuild/modules.rst of the kernel, "Symbol Versioning".
 */
import { ShippedKernelUnfit } from "../errors.ts";

export interface ExportedSymbol {
  readonly name: string;
  /** `vmlinux`, or the module's name as the kernel has it (dashes are underscores). */
  readonly object: string;
  /** Checksum over the symbol's type: a module that was built for another one is refused. */
  readonly crc: number;
  /** Namespace that a module must import to use it, or empty. */
  readonly namespace: string;
}

/**
 * @param file what to call the text in messages
 * @throws {ShippedKernelUnfit} when a line is none of such a file
 */
export function parseSymvers(text: string, file = "Module.symvers"): Map<string, ExportedSymbol> {
  const symbols = new Map<string, ExportedSymbol>();
  for (const [number, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const [crc = "", name = "", path = "", kind, namespace = ""] = line.split("\t");
    if (!/^0x[0-9a-f]{8}$/.test(crc) || name === "" || path === "" || kind === undefined) {
      throw new ShippedKernelUnfit(
        `cannot read exports of ${file}: line ${number + 1} is ${JSON.stringify(line.slice(0, 100))}, wanted CRC, symbol, object and kind, divided by tabs`,
        "name the Module.symvers that the kernel's own build wrote",
      );
    }
    symbols.set(name, { name, object: moduleNameOf(path), crc: Number(crc), namespace });
  }
  return symbols;
}

/** `drivers/virtio/virtio-pci` or `.../virtio-pci.ko` -> `virtio_pci`. */
export function moduleNameOf(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.ko$/, "").replaceAll("-", "_");
}
