/**
 * The symbol table. A kernel image has a hundred thousand symbols, of which one unit asks for a few hundred: so one pass
 * checks them all and finds their names' places, and a symbol is decoded when it is asked for.
 * Source: System V ABI, chapter 4, "Symbol Table"; SHN_XINDEX entries take their section from the parallel table
 * of type SHT_SYMTAB_SHNDX.
 */
import { SHN_LORESERVE, SHN_XINDEX, SHT_SYMTAB, SHT_SYMTAB_SHNDX } from "./constants.ts";
import { type ElfFile, fail, readNames, sectionData, type SectionHeader } from "./file.ts";
import { chained, hashOf } from "./name-hash.ts";
import { MAX_NAME_BYTES, type StringTable, stringTable, StringTableBuilder } from "./strings.ts";

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

/** Symbols in their table's order, the null symbol included. */
export interface SymbolTable {
  readonly length: number;
  at(index: number): ElfSymbol;
  /** All of that name, in order. */
  named(name: string): ElfSymbol[];
  /**
   * Where the local symbols of the compiled files of that base name are, such as of the forty called `inode.c`: each
   * file's follow the symbol that names it. Undefined of a table that names no files.
   */
  ofFile(baseName: string): readonly SymbolRange[] | undefined;
  /** What it consists of. */
  readonly parts: SymbolTableParts;
}

export interface SymbolRange {
  readonly start: number;
  /** The first that does not belong to it. */
  readonly end: number;
}

/** A symbol table as bytes, and what one pass found in them: whoever keeps it all opens the table without that pass. */
export interface SymbolTableParts {
  /** As in a section `.symtab`, `.strtab` and, where one is needed (else empty), `.symtab_shndx`. */
  readonly entries: Uint8Array;
  readonly names: Uint8Array;
  readonly extended: Uint8Array;
  /** The first symbol of each hash of a name, counted from 1, and for each symbol the next of its hash. */
  readonly first: Int32Array;
  readonly next: Int32Array;
  /** Indices of the symbols that name source files, in order. */
  readonly files: Int32Array;
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
  const table = openSymbols(file);
  return Array.from({ length: table.length }, (_, index) => table.at(index));
}

/**
 * The file's symbols, decoded as they are asked for; the file may be closed before.
 *
 * @throws {ElfFormatError} when the table is malformed
 */
export function openSymbols(file: ElfFile): SymbolTable {
  const table = file.sections.find((section) => section.type === SHT_SYMTAB);
  if (table === undefined) return symbolTable([]);
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
  const entries = sectionData(file, table);
  const { doubtful, ...chains } = chained(entries, names.bytes, {
    sizeBytes: SYMBOL_SIZE_BYTES,
    plainSections: Math.min(file.sections.length, SHN_LORESERVE),
  });
  const parts = { entries, names: names.bytes, extended: extendedIndices(file, table), ...chains };
  const symbols = new EncodedSymbols(source.name, parts, names);
  for (const index of doubtful) symbols.check(index, file.sections.length);
  return symbols;
}

/**
 * A table of parts that are known to be sound: another table's own.
 *
 * @param name what to call it in messages
 */
export function openParts(name: string, parts: SymbolTableParts): SymbolTable {
  return new EncodedSymbols(name, parts);
}

/** A table of symbols that are decoded already; their place in it is their index. */
export function symbolTable(symbols: readonly ElfSymbol[]): SymbolTable {
  const entries = new Uint8Array(symbols.length * SYMBOL_SIZE_BYTES);
  const extended = new Uint8Array(symbols.some(isFarAway) ? symbols.length * 4 : 0);
  const [view, extendedView] = [new DataView(entries.buffer), new DataView(extended.buffer)];
  const names = new StringTableBuilder();
  for (const [index, symbol] of symbols.entries()) {
    const at = index * SYMBOL_SIZE_BYTES;
    const isFar = isFarAway(symbol);
    if (isFar) extendedView.setUint32(index * 4, symbol.sectionIndex, true);
    encodeSymbol(view, at, {
      ...symbol,
      nameOffset: names.add(symbol.name),
      sectionIndex: isFar ? SHN_XINDEX : symbol.sectionIndex,
    });
  }
  const bytes = names.bytes();
  const { doubtful: _, ...chains } = chained(entries, bytes, {
    sizeBytes: SYMBOL_SIZE_BYTES,
    plainSections: SHN_LORESERVE,
  });
  return openParts("a symbol table", { entries, names: bytes, extended, ...chains });
}

type Entry = Pick<ElfSymbol, "binding" | "type" | "other" | "sectionIndex" | "value" | "sizeBytes">;

/** Writes the symbol's entry at `at`; its section by the index that stands in the entry itself. */
export function encodeSymbol(
  view: DataView,
  at: number,
  {
    nameOffset,
    binding,
    type,
    other,
    sectionIndex,
    value,
    sizeBytes,
  }: Entry & { readonly nameOffset: number },
): void {
  view.setUint32(at, nameOffset, true);
  view.setUint8(at + 4, (binding << 4) | type);
  view.setUint8(at + 5, other);
  view.setUint16(at + 6, sectionIndex, true);
  view.setBigUint64(at + 8, value, true);
  view.setBigUint64(at + 16, BigInt(sizeBytes), true);
}

/** Whether its section's index has no room in the entry. */
function isFarAway({ sectionIndex, reserved }: ElfSymbol): boolean {
  return !reserved && sectionIndex >= SHN_LORESERVE;
}

const SLASH = 0x2f;
/** Names may overlap, and together take many times the room of their table; of a kernel's files they take 30 kB. */
const MAX_FILE_NAMES_BYTES = 16 << 20;
const overlapping = `name is longer than ${MAX_NAME_BYTES} bytes or overlaps too many others, wanted one of its own`;

class EncodedSymbols implements SymbolTable {
  readonly length: number;
  readonly parts: SymbolTableParts;
  readonly #name: string;
  readonly #view: DataView;
  readonly #names: StringTable;
  readonly #extended: DataView;

  constructor(name: string, parts: SymbolTableParts, names: StringTable = stringTable(parts.names)) {
    this.length = parts.next.length;
    this.parts = parts;
    this.#name = name;
    this.#view = viewOf(parts.entries);
    this.#names = names;
    this.#extended = viewOf(parts.extended);
  }

  at(index: number): ElfSymbol {
    const at = index * SYMBOL_SIZE_BYTES;
    const info = this.#view.getUint8(at + 4);
    const raw = this.#view.getUint16(at + 6, true);
    return {
      index: index as SymbolIndex,
      name: this.#nameAt(index),
      binding: info >> 4,
      type: info & 0xf,
      other: this.#view.getUint8(at + 5),
      sectionIndex: this.#sectionIndex(index) ?? raw, // checked at the beginning
      reserved: isReserved(raw),
      value: this.#view.getBigUint64(at + 8, true),
      sizeBytes: Number(this.#view.getBigUint64(at + 16, true)),
    };
  }

  named(name: string): ElfSymbol[] {
    const { first, next, names } = this.parts;
    const wanted = utf8.encode(`${name}\0`);
    const found: ElfSymbol[] = [];
    let one = first[hashOf(wanted) & (first.length - 1)]!; // a slot is below the length
    for (; one !== 0; one = next[one - 1]!)
      if (startsWith(names, this.#nameOffset(one - 1), wanted)) found.push(this.at(one - 1));
    return found;
  }

  ofFile(baseName: string): readonly SymbolRange[] | undefined {
    const { files, names } = this.parts;
    if (files.length === 0) return undefined;
    const wanted = utf8.encode(`${baseName}\0`);
    const ranges: SymbolRange[] = [];
    let readBytes = 0;
    for (const [file, start] of files.entries()) {
      const offset = this.#nameOffset(start);
      let [base, end] = [offset, offset];
      for (; names[end]; end++) if (names[end] === SLASH) base = end + 1;
      readBytes += end - offset;
      if (readBytes > MAX_FILE_NAMES_BYTES) this.#fail(`symbol ${start}`, overlapping);
      if (startsWith(names, base, wanted)) ranges.push({ start, end: files[file + 1] ?? this.length });
    }
    return ranges;
  }

  /** @throws {ElfFormatError} when the symbol has no name, no section or no size that can be */
  check(index: number, sections: number): void {
    const nameOffset = this.#nameOffset(index);
    if (this.#names.endOf(nameOffset) === undefined)
      this.#fail(`symbol ${index}`, `name offset is ${nameOffset}, wanted below ${this.#names.bytes.length}`);
    const what = `symbol ${this.#names.at(nameOffset) || index}`;
    const raw = this.#view.getUint16(index * SYMBOL_SIZE_BYTES + 6, true);
    const sectionIndex = this.#sectionIndex(index);
    if (sectionIndex === undefined || (!isReserved(raw) && sectionIndex >= sections))
      this.#fail(what, `section index is ${sectionIndex ?? raw}, wanted below ${sections}`);
    const sizeBytes = this.#view.getBigUint64(index * SYMBOL_SIZE_BYTES + 16, true);
    if (sizeBytes >= 2n ** 53n) this.#fail(what, `size is ${sizeBytes}, wanted at most 2^53`);
  }

  #fail(what: string, problem: string): never {
    return fail({ name: this.#name }, what, problem);
  }

  /** That it has an end was checked at the beginning; how far it is was not. */
  #nameAt(index: number): string {
    return this.#names.at(this.#nameOffset(index)) ?? this.#fail(`symbol ${index}`, overlapping);
  }

  #nameOffset(index: number): number {
    return this.#view.getUint32(index * SYMBOL_SIZE_BYTES, true);
  }

  /** Undefined where the table of extended indices is missing. */
  #sectionIndex(index: number): number | undefined {
    const raw = this.#view.getUint16(index * SYMBOL_SIZE_BYTES + 6, true);
    if (raw !== SHN_XINDEX) return raw;
    return this.#extended.byteLength === 0 ? undefined : this.#extended.getUint32(index * 4, true);
  }
}

const utf8 = new TextEncoder();

/** Whether a section index is one of the reserved values and names no section. */
function isReserved(raw: number): boolean {
  return raw >= SHN_LORESERVE && raw !== SHN_XINDEX;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function startsWith(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  return wanted.every((byte, index) => bytes[start + index] === byte);
}

function extendedIndices(file: ElfFile, table: SectionHeader): Uint8Array {
  const header = file.sections.find(
    (section) => section.type === SHT_SYMTAB_SHNDX && section.link === table.index,
  );
  if (header === undefined) return new Uint8Array(0);
  const bytes = sectionData(file, header);
  const wanted = (table.sizeBytes / SYMBOL_SIZE_BYTES) * 4;
  if (bytes.length < wanted)
    fail(file.source, "extended section indices", `size is ${bytes.length}, wanted ${wanted}`);
  return bytes;
}
