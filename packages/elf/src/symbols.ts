/**
 * The symbol table. A kernel image has a hundred thousand symbols, so one pass decodes them all.
 * Source: System V ABI, chapter 4, "Symbol Table"; SHN_XINDEX entries take their section from the parallel table
 * of type SHT_SYMTAB_SHNDX.
 */
import { SHN_XINDEX, SHT_SYMTAB, SHT_SYMTAB_SHNDX } from "./constants.ts";
import { type ElfFile, fail, readNames, sectionData, type SectionHeader } from "./file.ts";

declare const symbolIndexBrand: unique symbol;
/** Index into a file's symbol table. */
export type SymbolIndex = number & { readonly [symbolIndexBrand]: true };

export interface ElfSymbol {
  readonly index: SymbolIndex;
  readonly name: string;
  /** STB_LOCAL, STB_GLOBAL or STB_WEAK. */
  readonly binding: number;
  /** STT_FUNC, STT_OBJECT, ... */
  readonly type: number;
  /** st_other: visibility, and on POWER the distance to the local entry point. */
  readonly other: number;
  /** Section index, extended numbering resolved, or a reserved value such as SHN_ABS. */
  readonly sectionIndex: number;
  /** Whether sectionIndex is one of the reserved values and names no section. */
  readonly reserved: boolean;
  /** Address in an image, offset into the section in a relocatable file. */
  readonly value: bigint;
  readonly sizeBytes: number;
}

export const SYMBOL_SIZE_BYTES = 24;
/** A kernel image has over a hundred thousand. */
const MAX_SYMBOLS = 4_000_000;

/**
 * All symbols of the file, in the table's order, the null symbol included; empty when it has no symbol table.
 *
 * @throws {ElfFormatError} when the table is malformed
 */
export function readSymbols(file: ElfFile): ElfSymbol[] {
  const table = file.sections.find((section) => section.type === SHT_SYMTAB);
  if (table === undefined) return [];
  const { source } = file;
  if (table.entrySizeBytes !== SYMBOL_SIZE_BYTES)
    fail(source, "symbol table", `entry size is ${table.entrySizeBytes}, wanted ${SYMBOL_SIZE_BYTES}`);
  if (table.sizeBytes % SYMBOL_SIZE_BYTES !== 0)
    fail(source, "symbol table", `size is ${table.sizeBytes}, wanted a multiple of ${SYMBOL_SIZE_BYTES}`);
  const namesHeader = file.sections[table.link];
  if (namesHeader === undefined)
    fail(source, "symbol table", `string table index is ${table.link}, wanted below ${file.sections.length}`);
  if (table.sizeBytes > MAX_SYMBOLS * SYMBOL_SIZE_BYTES)
    fail(
      source,
      "symbol table",
      `size is ${table.sizeBytes}, wanted at most ${MAX_SYMBOLS * SYMBOL_SIZE_BYTES}`,
    );
  const names = readNames(source, "names of symbols", namesHeader);
  const extended = extendedIndices(file, table);
  const bytes = sectionData(file, table);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

  const symbols: ElfSymbol[] = [];
  for (let index = 0, at = 0; at < bytes.length; index++, at += SYMBOL_SIZE_BYTES) {
    const nameOffset = view.getUint32(at, true);
    const info = view.getUint8(at + 4);
    const raw = view.getUint16(at + 6, true);
    const sectionIndex = raw === SHN_XINDEX ? extended?.getUint32(index * 4, true) : raw;
    const reserved = raw >= 0xff00 && raw !== SHN_XINDEX;
    const name = names.at(nameOffset);
    if (name === undefined)
      fail(source, `symbol ${index}`, `name offset is ${nameOffset}, wanted below ${names.sizeBytes}`);
    if (sectionIndex === undefined || (!reserved && sectionIndex >= file.sections.length))
      fail(
        source,
        `symbol ${name || index}`,
        `section index is ${sectionIndex ?? raw}, wanted below ${file.sections.length}`,
      );
    const sizeBytes = view.getBigUint64(at + 16, true);
    if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER))
      fail(source, `symbol ${name || index}`, `size is ${sizeBytes}, wanted at most 2^53`);
    symbols.push({
      index: index as SymbolIndex,
      name,
      binding: info >> 4,
      type: info & 0xf,
      other: view.getUint8(at + 5),
      sectionIndex,
      reserved,
      value: view.getBigUint64(at + 8, true),
      sizeBytes: Number(sizeBytes),
    });
  }
  return symbols;
}

function extendedIndices(file: ElfFile, table: SectionHeader): DataView | undefined {
  const header = file.sections.find(
    (section) => section.type === SHT_SYMTAB_SHNDX && section.link === table.index,
  );
  if (header === undefined) return undefined;
  const bytes = sectionData(file, header);
  const wanted = (table.sizeBytes / SYMBOL_SIZE_BYTES) * 4;
  if (bytes.length < wanted)
    fail(file.source, "extended section indices", `size is ${bytes.length}, wanted ${wanted}`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
