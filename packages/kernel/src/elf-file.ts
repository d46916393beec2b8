import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type ElfFile, openElf } from "@kgraft/elf";

/** Opens an ELF file for as long as `work` runs, reading only the ranges it asks for. */
export function withElfFile<T>(path: string, name: string, work: (file: ElfFile) => T): T {
  const descriptor = openSync(path, "r");
  try {
    const source = {
      name,
      sizeBytes: fstatSync(descriptor).size,
      read: (offset: number, length: number): Uint8Array => {
        const bytes = Buffer.allocUnsafe(length);
        let done = 0;
        while (done < length) {
          const count = readSync(descriptor, bytes, done, length - done, offset + done);
          if (count === 0) throw new Error(`${name} became shorter while it was read`);
          done += count;
        }
        return bytes;
      },
    };
    return work(openElf(source));
  } finally {
    closeSync(descriptor);
  }
}
