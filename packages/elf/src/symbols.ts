/**
 * The symbol table. A kernel image has a hundred thousand symbols, of which one unit asks for a few hundred: so one pass
 * checks them all and finds their names' places, and a symbol is decoded when it is asked for.
 * Source: System V ABI, chapter 4, "Symbol Table"; SHN_XINDEX entries take their section from the parallel table
 * of type SHT_SYMTAB_SHNDX.
 */
import { SHN_LORESERVE, SHN_XINDEX, SHT_SYMTAB, SHT_SYMTAB_SHNDX } from "./constants.ts";
import { type ElfFile, fail, readNames, sectionData, type SectionHeader } from "./file.ts";
import type { ByteSource } from "./source.ts";
import { MAX_NAME_BYTES, type StringTable } from "./strings.ts";
import { wordsOf } from "./words.ts";

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
  /** Indices of all of that type, in order. */
  ofType(type: number): number[];
}

export const SYMBOL_SIZE_BYTES = 24;
const WORDS = SYMBOL_SIZE_BYTES / 4;
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
  return new EncodedSymbols(file, sectionData(file, table), names, extendedIndices(file, table));
}

/** The same over symbols that are decoded already. */
export function symbolTable(symbols: readonly ElfSymbol[]): SymbolTable {
  let byName: Map<string, ElfSymbol[]> | undefined;
  return {
    length: symbols.length,
    at: (index) => symbols[index]!, // the caller keeps to the length
    named: (name) => (byName ??= Map.groupBy(symbols, (symbol) => symbol.name)).get(name) ?? [],
    ofType: (type) => symbols.flatMap((symbol, index) => (symbol.type === type ? [index] : [])),
  };
}

class EncodedSymbols implements SymbolTable {
  readonly length: number;
  readonly #source: ByteSource;
  readonly #view: DataView;
  readonly #names: StringTable;
  readonly #extended: DataView | undefined;
  /** The first symbol of each hash of a name, counted from 1, and for each symbol the next of its hash. */
  readonly #first: Int32Array;
  readonly #next: Int32Array;

  constructor(file: ElfFile, bytes: Uint8Array, names: StringTable, extended: DataView | undefined) {
    this.length = bytes.length / SYMBOL_SIZE_BYTES;
    this.#source = file.source;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#names = names;
    this.#extended = extended;
    const { first, next, doubtful } = chained(
      wordsOf(bytes),
      padded(names.bytes),
      names.bytes.lastIndexOf(0) + 1,
      Math.min(file.sections.length, SHN_LORESERVE),
    );
    this.#first = first;
    this.#next = next;
    for (const index of doubtful) this.#check(file, index);
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
    const wanted = utf8.encode(`${name}\0`);
    const found: ElfSymbol[] = [];
    let next = this.#first[hashAt(padded(wanted), 0) & (this.#first.length - 1)]!; // a slot is below the length
    for (; next !== 0; next = this.#next[next - 1]!)
      if (startsWith(this.#names.bytes, this.#nameOffset(next - 1), wanted)) found.push(this.at(next - 1));
    return found;
  }

  ofType(type: number): number[] {
    const found: number[] = [];
    for (let index = 0; index < this.length; index++)
      if ((this.#view.getUint8(index * SYMBOL_SIZE_BYTES + 4) & 0xf) === type) found.push(index);
    return found;
  }

  #check({ source, sections }: ElfFile, index: number): void {
    const nameOffset = this.#nameOffset(index);
    if (this.#names.endOf(nameOffset) === undefined)
      fail(
        source,
        `symbol ${index}`,
        `name offset is ${nameOffset}, wanted below ${this.#names.bytes.length}`,
      );
    const raw = this.#view.getUint16(index * SYMBOL_SIZE_BYTES + 6, true);
    const sectionIndex = this.#sectionIndex(index);
    if (sectionIndex === undefined || (!isReserved(raw) && sectionIndex >= sections.length))
      fail(
        source,
        `symbol ${this.#names.at(nameOffset) || index}`,
        `section index is ${sectionIndex ?? raw}, wanted below ${sections.length}`,
      );
    // The upper half of 64 bits.
    if (this.#view.getUint32(index * SYMBOL_SIZE_BYTES + 20, true) < 2 ** 21) return;
    const sizeBytes = this.#view.getBigUint64(index * SYMBOL_SIZE_BYTES + 16, true);
    fail(
      source,
      `symbol ${this.#names.at(nameOffset) || index}`,
      `size is ${sizeBytes}, wanted at most 2^53`,
    );
  }

  /** That it has an end was checked at the beginning; how far it is was not. */
  #nameAt(index: number): string {
    const name = this.#names.at(this.#nameOffset(index));
    return (
      name ??
      fail(
        this.#source,
        `symbol ${index}`,
        `name is longer than ${MAX_NAME_BYTES} bytes or overlaps too many others, wanted one of its own`,
      )
    );
  }

  #nameOffset(index: number): number {
    return this.#view.getUint32(index * SYMBOL_SIZE_BYTES, true);
  }

  /** Undefined where the table of extended indices is missing. */
  #sectionIndex(index: number): number | undefined {
    const raw = this.#view.getUint16(index * SYMBOL_SIZE_BYTES + 6, true);
    return raw === SHN_XINDEX ? this.#extended?.getUint32(index * 4, true) : raw;
  }
}

const utf8 = new TextEncoder();

/** Whether a section index is one of the reserved values and names no section. */
function isReserved(raw: number): boolean {
  return raw >= SHN_LORESERVE && raw !== SHN_XINDEX;
}

/** So many bytes of a name tell most names apart; and a lying table cannot make each of its symbols take long. */
const HASHED_BYTES = 20;

/**
 * Hash of the name that starts at `at`, word by word. The name must end within the bytes, and HASHED_BYTES must follow
 * its first one.
 */
function hashAt(names: DataView, at: number): number {
  let hash = 0;
  for (const end = at + HASHED_BYTES; at < end; at += 4) {
    const word = names.getInt32(at, true);
    // The lowest set bit is the top one of the first byte that is zero.
    // Source: A. Mycroft's test for a zero byte; Warren, Hacker's Delight, "Find First 0-Byte".
    const zero = (word - 0x0101_0101) & ~word & 0x8080_8080;
    const kept = zero === 0 ? word : word & (((zero & -zero) - 1) >>> 7);
    hash = Math.imul(hash ^ kept ^ (hash >>> 15), 0x9e37_79b1);
    if (zero !== 0) break;
  }
  return hash ^ (hash >>> 15);
}

interface Chains {
  readonly first: Int32Array;
  readonly next: Int32Array;
  /** Symbols that are not sound at first sight, in order: reserved sections, and what is malformed. */
  readonly doubtful: readonly number[];
}

/**
 * Symbols by the hashes of their names. One tight loop: it goes over megabytes, once in most processes. An entry's name
 * is its first word, its section the upper half of the second, its size the last two.
 *
 * @param namesEnd where the last name ends
 */
function chained(words: Uint32Array, names: DataView, namesEnd: number, plainSections: number): Chains {
  const length = words.length / WORDS;
  const first = new Int32Array(2 ** Math.ceil(Math.log2(length + 1)));
  const next = new Int32Array(length);
  const doubtful: number[] = [];
  const mask = first.length - 1;
  // From the end, so that each hash's symbols are met in order.
  for (let index = length - 1; index >= 0; index--) {
    const word = index * WORDS;
    const at = words[word]!; // the entry is within the table, as are the other two
    if (at >= namesEnd || words[word + 1]! >>> 16 >= plainSections || words[word + 5]! >= 2 ** 21)
      doubtful.push(index);
    const slot = (at < namesEnd ? hashAt(names, at) : 0) & mask;
    next[index] = first[slot]!; // a slot is below the length
    first[slot] = index + 1;
  }
  return { first, next, doubtful: doubtful.toReversed() };
}

/** The bytes of a table of names, and zeroes in which each name ends. */
function padded(names: Uint8Array): DataView {
  const bytes = new Uint8Array(names.length + HASHED_BYTES);
  bytes.set(names);
  return new DataView(bytes.buffer);
}

function startsWith(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  return wanted.every((byte, index) => bytes[start + index] === byte);
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
