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
  const objects = new Map<string, string>(); // names of a few thousand, each of many lines
  for (let start = 0, number = 1; start < text.length; number++) {
    line.lastIndex = start;
    const fields = line.exec(text);
    if (fields === null) throw unreadable(file, number, text.slice(start).split("\n", 1)[0]!); // split() has one at least
    start = line.lastIndex;
    const [, crc, name, path, namespace = ""] = fields as unknown as readonly [string, ...string[]];
    if (name === undefined || path === undefined) continue; // an empty line
    let object = objects.get(path);
    if (object === undefined) objects.set(path, (object = moduleNameOf(path)));
    symbols.set(name, { name, object, crc: Number(crc), namespace });
  }
  return symbols;
}

/** An empty line, or CRC, symbol, object, kind and what may follow; with the line's end. */
const line = /(?:(0x[0-9a-f]{8})\t([^\t\n]+)\t([^\t\n]+)\t[^\t\n]*(?:\t([^\t\n]*)[^\n]*)?)?(?:\n|$)/y;

function unreadable(file: string, number: number, found: string): ShippedKernelUnfit {
  return new ShippedKernelUnfit(
    `cannot read exports of ${file}: line ${number} is ${JSON.stringify(found.slice(0, 100))}, wanted CRC, symbol, object and kind, divided by tabs`,
    "name the Module.symvers that the kernel's own build wrote",
  );
}

/** `drivers/virtio/virtio-pci` or `.../virtio-pci.ko` -> `virtio_pci`. */
export function moduleNameOf(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.ko$/, "").replaceAll("-", "_");
}
