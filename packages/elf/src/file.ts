/**
 * The file as the specification lays it out: header, section headers, and the bytes of sections on request.
 * Everything that a number in the file points at is checked against the file's size before it is read.
 * Source: System V ABI, chapter 4, "ELF Header", "Sections" (extended numbering: e_shnum and e_shstrndx of 0 and
 * SHN_XINDEX take their values from section header 0).
 */
import { SHF_COMPRESSED, SHN_XINDEX, SHT_NOBITS, SHT_NULL } from "./constants.ts";
import { ElfFormatError } from "./errors.ts";
import type { ByteSource } from "./source.ts";
import { type StringTable, stringTable } from "./strings.ts";

declare const sectionIndexBrand: unique symbol;
/** Index into a file's section headers. */
export type SectionIndex = number & { readonly [sectionIndexBrand]: true };

export interface SectionHeader {
  readonly index: SectionIndex;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** Virtual address; 0 in relocatable files. */
  readonly address: bigint;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly link: number;
  readonly info: number;
  readonly alignment: number;
  readonly entrySizeBytes: number;
}

export interface ElfFile {
  readonly source: ByteSource;
  /** ET_REL, ET_EXEC or ET_DYN. */
  readonly type: number;
  readonly machine: number;
  readonly flags: number;
  readonly sections: readonly SectionHeader[];
}

const HEADER_SIZE_BYTES = 64;
const SECTION_HEADER_SIZE_BYTES = 64;
/** More sections than any kernel object has (a kernel built with one section per symbol has under 200,000). */
const MAX_SECTIONS = 1_000_000;
/** Larger than any page. */
const MAX_ALIGNMENT = 1 << 24;
/** 0x7f "ELF". */
const MAGIC = 0x7f454c46;
/** Memory without contents: the kernel and its modules live in 2 GB. */
const MAX_MEMORY_BYTES = 2 ** 31;
/** Names of a kernel image take 3 MB. */
const MAX_NAMES_BYTES = 64 << 20;

/**
 * Reads the header and the section headers.
 *
 * @throws {ElfFormatError} when it is not a well-formed little-endian ELF64 file
 */
export function openElf(source: ByteSource): ElfFile {
  const bytes = readRange(source, "ELF header", 0, HEADER_SIZE_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const want = (field: string, found: number, wanted: number): void => {
    if (found !== wanted) fail(source, "ELF header", `${field} is ${found}, wanted ${wanted}`);
  };
  if (view.getUint32(0) !== MAGIC) fail(source, "ELF header", "it is not an ELF file");
  want("class", view.getUint8(4), 2);
  want("data encoding", view.getUint8(5), 1);
  want("version", view.getUint8(6), 1);
  want("header size", view.getUint16(52, true), HEADER_SIZE_BYTES);

  const tableOffset = safe(source, "section header offset", view.getBigUint64(40, true));
  let count = view.getUint16(60, true);
  let namesIndex = view.getUint16(62, true);
  if (tableOffset !== 0) {
    want("section header size", view.getUint16(58, true), SECTION_HEADER_SIZE_BYTES);
    const first = sectionHeaderAt(
      source,
      readRange(source, "section header 0", tableOffset, SECTION_HEADER_SIZE_BYTES),
      0,
    );
    if (count === 0) count = first.sizeBytes;
    if (namesIndex === SHN_XINDEX) namesIndex = first.link;
  }
  if (count > MAX_SECTIONS)
    fail(source, "ELF header", `section count is ${count}, wanted at most ${MAX_SECTIONS}`);
  return {
    source,
    type: view.getUint16(16, true),
    machine: view.getUint16(18, true),
    flags: view.getUint32(48, true),
    sections: tableOffset === 0 ? [] : readSectionTable(source, tableOffset, count, namesIndex),
  };
}

/** The first section of that name. */
export function findSection(file: ElfFile, name: string): SectionHeader | undefined {
  return file.sections.find((section) => section.name === name);
}

/**
 * The bytes of a section as they stand in the file; none for SHT_NOBITS.
 *
 * @throws {ElfFormatError} when they are not within the file, or are compressed
 */
export function sectionData(file: ElfFile, section: SectionHeader): Uint8Array {
  if (section.type === SHT_NOBITS) return new Uint8Array(0);
  if ((section.flags & SHF_COMPRESSED) !== 0)
    fail(file.source, `section ${section.name}`, "is compressed, wanted plain");
  return readRange(file.source, `section ${section.name}`, section.offset, section.sizeBytes);
}

/** Bytes of the file that the specification calls `what`; checked to be inside it. */
export function readRange(source: ByteSource, what: string, offset: number, length: number): Uint8Array {
  if (offset < 0 || length < 0 || offset + length > source.sizeBytes) {
    fail(
      source,
      what,
      `it ends at byte ${offset + length}, wanted at most ${source.sizeBytes} (the file's size)`,
    );
  }
  return source.read(offset, length);
}

export function fail(source: Pick<ByteSource, "name">, what: string, problem: string): never {
  throw new ElfFormatError(`cannot read ${what} of ${source.name}: ${problem}`);
}

/** A 64-bit field that counts or points inside a file, as a number. */
function safe(source: ByteSource, field: string, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    fail(source, field, `value is ${value}, wanted at most the file's size`);
  return Number(value);
}

/** The header of that index in `table`, which begins with it at `at`. */
function sectionHeaderAt(
  source: ByteSource,
  table: Uint8Array,
  index: number,
  at = 0,
): SectionHeader & { nameOffset: number } {
  const what = `section header ${index}`;
  const view = new DataView(table.buffer, table.byteOffset + at, SECTION_HEADER_SIZE_BYTES);
  const alignment = safe(source, `alignment of ${what}`, view.getBigUint64(48, true));
  if (alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) !== 0)
    fail(source, what, `alignment is ${alignment}, wanted a power of two, at most ${MAX_ALIGNMENT}`);
  return {
    index: index as SectionIndex,
    name: "",
    nameOffset: view.getUint32(0, true),
    type: view.getUint32(4, true),
    flags: safe(source, `flags of ${what}`, view.getBigUint64(8, true)),
    address: view.getBigUint64(16, true),
    offset: safe(source, `offset of ${what}`, view.getBigUint64(24, true)),
    sizeBytes: safe(source, `size of ${what}`, view.getBigUint64(32, true)),
    link: view.getUint32(40, true),
    info: view.getUint32(44, true),
    alignment,
    entrySizeBytes: safe(source, `entry size of ${what}`, view.getBigUint64(56, true)),
  };
}

function readSectionTable(
  source: ByteSource,
  tableOffset: number,
  count: number,
  namesIndex: number,
): SectionHeader[] {
  const table = readRange(source, "section headers", tableOffset, count * SECTION_HEADER_SIZE_BYTES);
  const raw = Array.from({ length: count }, (_, index) =>
    sectionHeaderAt(source, table, index, index * SECTION_HEADER_SIZE_BYTES),
  );
  checkSizes(source, raw);
  const namesHeader = raw[namesIndex];
  if (namesHeader === undefined)
    fail(source, "section names", `string table index is ${namesIndex}, wanted below ${count}`);
  const names = readNames(source, "section names", namesHeader);
  return raw.map(({ nameOffset, ...header }) => {
    const name = count === 0 ? "" : names.at(nameOffset);
    if (name === undefined)
      fail(
        source,
        `section header ${header.index}`,
        `name at ${nameOffset} has no end, or overlaps too many others, wanted one within ${names.bytes.length} bytes`,
      );
    return { ...header, name };
  });
}

/** Sections do not share bytes: whoever reads them all takes no more memory than the file has. */
function checkSizes(source: ByteSource, headers: readonly SectionHeader[]): void {
  const memory = headers.find(({ type, sizeBytes }) => type === SHT_NOBITS && sizeBytes > MAX_MEMORY_BYTES);
  if (memory !== undefined) {
    const { index, sizeBytes } = memory;
    fail(source, `section header ${index}`, `size is ${sizeBytes}, wanted at most ${MAX_MEMORY_BYTES}`);
  }
  const inFile = headers.filter(({ type }) => type !== SHT_NOBITS && type !== SHT_NULL);
  const total = inFile.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (total > source.sizeBytes)
    fail(
      source,
      "section headers",
      `sizes add up to ${total}, wanted at most ${source.sizeBytes} (the file's size)`,
    );
}

/** A section of names. */
export function readNames(source: ByteSource, what: string, header: SectionHeader): StringTable {
  const { offset, sizeBytes } = header;
  if (sizeBytes > MAX_NAMES_BYTES)
    fail(source, what, `size is ${sizeBytes}, wanted at most ${MAX_NAMES_BYTES}`);
  return stringTable(readRange(source, what, offset, sizeBytes));
}
