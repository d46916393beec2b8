/**
 * What the kernel and its modules export, from the `Module.symvers` that their build wrote: lines of
 * CRC, symbol, object, kind and namespace, divided by tabs.
 * Source: Documentation/kbuild/modules.rst of the kernel, "Symbol Versioning".
 */
export interface ExportedSymbol {
  readonly name: string;
  /** `vmlinux`, or the module's name as the kernel has it (dashes are underscores). */
  readonly object: string;
  /** Checksum over the symbol's type: a module that was built for another one is refused. */
  readonly crc: number;
  /** Namespace that a module must import to use it, or empty. */
  readonly namespace: string;
}

export function parseSymvers(text: string): Map<string, ExportedSymbol> {
  const symbols = new Map<string, ExportedSymbol>();
  for (const line of text.split("\n")) {
    const [crc, name, path, , namespace = ""] = line.split("\t");
    if (crc === undefined || name === undefined || path === undefined) continue;
    symbols.set(name, { name, object: moduleNameOf(path), crc: Number(crc), namespace });
  }
  return symbols;
}

/** `drivers/virtio/virtio-pci` or `.../virtio-pci.ko` -> `virtio_pci`. */
export function moduleNameOf(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.ko$/, "").replaceAll("-", "_");
}
