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

/** Exported symbols by name. */
export interface Exports {
  get(name: string): ExportedSymbol | undefined;
  has(name: string): boolean;
}

/** Exports as a text has them. */
export interface ParsedExports extends Exports {
  readonly text: string;
  /** Where each symbol's line begins. */
  readonly starts: ReadonlyMap<string, number>;
}

/**
 * A kernel exports some twenty thousand symbols, of which a unit uses a few dozen: one pass finds where each line is,
 * and a line is read when its symbol is asked for.
 *
 * @param file what to call the text in messages
 * @throws {ShippedKernelUnfit} when a line is none of such a file
 */
export function parseSymvers(text: string, file = "Module.symvers"): ParsedExports {
  const starts = new Map<string, number>();
  for (let start = 0, number = 1, end = 0; start < text.length; start = end + 1, number++) {
    end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (end === start) continue;
    const nameEnd = text.indexOf("\t", start + NAME_OFFSET);
    const objectEnd = text.indexOf("\t", nameEnd + 1);
    const isSound = text.startsWith("0x", start) && text[start + NAME_OFFSET - 1] === "\t";
    if (!isSound || nameEnd < 0 || objectEnd < 0 || objectEnd >= end)
      throw unreadable(file, number, text.slice(start, end));
    starts.set(text.slice(start + NAME_OFFSET, nameEnd), start);
  }
  return { ...exportsAt(text, (name) => starts.get(name)), text, starts };
}

/** Exports of a text of which it is known where each symbol's line begins. */
export function exportsAt(text: string, startOf: (name: string) => number | undefined): Exports {
  return {
    has: (name) => startOf(name) !== undefined,
    get(name) {
      const start = startOf(name);
      if (start === undefined) return undefined;
      const end = text.indexOf("\n", start);
      const found = text.slice(start, end < 0 ? undefined : end);
      const [crc = "", , path = "", , namespace = ""] = found.split("\t");
      return { name, object: moduleNameOf(path), crc: Number(crc), namespace };
    },
  };
}

/** `0x`, eight digits and a tab. */
const NAME_OFFSET = 11;

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
