import { bytesSource, type ElfObject, readObject, SHF_ALLOC } from "@kgraft/elf";

/** An object without debug data, which is most of the file; with what objtool wants to know of the code. */
export function readLoaded(name: string, bytes: Uint8Array): ElfObject {
  return readObject(
    bytesSource(name, bytes),
    (section) => (section.flags & SHF_ALLOC) !== 0 || section.name.startsWith(".discard."),
  );
}
