/**
 * ELF64 objects: read, write, join in memory. Pure: bytes in, values out.
 *
 * - `openElf` and friends read any file, image or object, by ranges.
 * - `readObject`, `writeObject`, `mergeObjects` treat relocatable objects as graphs of sections and symbols.
 *
 * @module
 */
export * from "./constants.ts";
export { ElfFormatError } from "./errors.ts";
export {
  type ElfFile,
  findSection,
  openElf,
  sectionData,
  type SectionHeader,
  type SectionIndex,
} from "./file.ts";
export { mergeObjects } from "./merge.ts";
export { readBuildId } from "./notes.ts";
export {
  copyObject,
  type ElfObject,
  type LivepatchRelocations,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectSymbol,
  readObject,
  sectionNamed,
  sectionOf,
  type SymbolPlace,
} from "./object.ts";
export { type ElfRelocation, readRelocations } from "./relocations.ts";
export { type ByteSource, bytesSource } from "./source.ts";
export { type StringTable, stringTable } from "./strings.ts";
export {
  type ElfSymbol,
  openParts,
  openSymbols,
  readSymbols,
  type SymbolIndex,
  type SymbolRange,
  type SymbolTable,
  symbolTable,
  type SymbolTableParts,
} from "./symbols.ts";
export { writeObject } from "./write.ts";
export { wordsOf } from "./words.ts";
