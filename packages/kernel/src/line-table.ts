/**
 * Which source files a compiled file was made of: the file tables at the head of its DWARF line programs, one
 * program for each unit. The programs themselves are skipped.
 *
 * In a module, which is a relocatable object, the table's references into .debug_line_str stand in
 * .rela.debug_line; its entries are against the section's own symbol (value 0), so the addend is the offset.
 * Source: DWARF 5, section 6.2.4; DWARF 4 has the older table of null-terminated names.
 */
import { type ElfFile, findSection, readRelocations, sectionData } from "@kgraft/elf";
import { BadInput } from "./errors.ts";

export interface LineTable {
  /** Where the compiler ran. Empty in DWARF 4, which does not say so here. */
  readonly compileDirectory: string;
  /** Full names as the table has them; the unit's own source first. */
  readonly files: readonly string[];
}

const ET_REL = 1;
const DW_LNCT_path = 1;
const DW_LNCT_directory_index = 2;
const DW_FORM_data2 = 0x05;
const DW_FORM_data4 = 0x06;
const DW_FORM_data8 = 0x07;
const DW_FORM_string = 0x08;
const DW_FORM_block = 0x09;
const DW_FORM_data1 = 0x0b;
const DW_FORM_strp = 0x0e;
const DW_FORM_udata = 0x0f;
const DW_FORM_data16 = 0x1e;
const DW_FORM_line_strp = 0x1f;

/** The line tables of all units linked into a file; none where it has no DWARF. Throws BadInput. */
export function readLineTables(file: ElfFile): readonly LineTable[] {
  const bytes = data(file, ".debug_line");
  const cursor = new Cursor(file, bytes);
  const tables: LineTable[] = [];
  while (cursor.at < bytes.length) {
    const start = cursor.at;
    const escape = cursor.unsigned(4);
    cursor.offsetBytes = escape === 0xffffffff ? 8 : 4;
    const lengthBytes = escape === 0xffffffff ? cursor.unsigned(8) : escape;
    const end = cursor.at + lengthBytes;
    if (end > bytes.length)
      throw cursor.bad(`line program at ${start} ends at ${end}`, `at most ${bytes.length}`);
    tables.push(readTable(cursor));
    cursor.at = end;
  }
  return tables;
}

function readTable(cursor: Cursor): LineTable {
  const version = cursor.unsigned(2);
  if (version < 3 || version > 5) throw cursor.bad(`line table version ${version}`, "3, 4 or 5");
  if (version === 5) cursor.skip(2); // address size, segment selector size
  cursor.unsigned(cursor.offsetBytes); // header length
  cursor.skip(version >= 4 ? 5 : 4); // instruction length, operations, is_stmt, line base, line range
  cursor.skip(cursor.unsigned(1) - 1); // opcode lengths
  return version === 5 ? readTables5(cursor) : readTables4(cursor);
}

function readTables5(cursor: Cursor): LineTable {
  const directories = readEntries(cursor).map((entry) => entry.path);
  const compileDirectory = directories[0] ?? "";
  const files = readEntries(cursor).map(({ path, directory }) =>
    join(compileDirectory, directory === 0 ? "" : (directories[directory] ?? ""), path),
  );
  return { compileDirectory, files };
}

function readTables4(cursor: Cursor): LineTable {
  const directories = [""];
  for (let name = cursor.string(); name !== ""; name = cursor.string()) directories.push(name);
  const files: string[] = [];
  for (let name = cursor.string(); name !== ""; name = cursor.string()) {
    const directory = cursor.leb();
    cursor.leb(); // time
    cursor.leb(); // size
    files.push(join("", directories[directory] ?? "", name));
  }
  return { compileDirectory: "", files };
}

/** Entries of a DWARF 5 directory or file table: a format, then that many entries of it. */
function readEntries(cursor: Cursor): readonly { readonly path: string; readonly directory: number }[] {
  const format = Array.from({ length: cursor.unsigned(1) }, () => [cursor.leb(), cursor.leb()] as const);
  const count = cursor.leb();
  const entries: { path: string; directory: number }[] = [];
  for (let index = 0; index < count; index++) {
    let path = "";
    let directory = 0;
    for (const [content, form] of format) {
      const value = readForm(cursor, form);
      if (content === DW_LNCT_path && typeof value === "string") path = value;
      if (content === DW_LNCT_directory_index && typeof value === "number") directory = value;
    }
    entries.push({ path, directory });
  }
  return entries;
}

function readForm(cursor: Cursor, form: number): string | number | undefined {
  switch (form) {
    case DW_FORM_string:
      return cursor.string();
    case DW_FORM_line_strp:
      return cursor.stringIn(".debug_line_str");
    case DW_FORM_strp:
      return cursor.stringIn(".debug_str");
    case DW_FORM_udata:
      return cursor.leb();
    case DW_FORM_data1:
      return cursor.unsigned(1);
    case DW_FORM_data2:
      return cursor.unsigned(2);
    case DW_FORM_data4:
      return cursor.unsigned(4);
    case DW_FORM_data8:
      return cursor.unsigned(8);
    case DW_FORM_data16:
      cursor.skip(16);
      return undefined;
    case DW_FORM_block:
      cursor.skip(cursor.leb());
      return undefined;
    default:
      throw cursor.bad(`form 0x${form.toString(16)} in a line table`, "one of DWARF 5");
  }
}

class Cursor {
  at = 0;
  offsetBytes: 4 | 8 = 4;
  readonly #file: ElfFile;
  readonly #bytes: Buffer;
  /** Offset in .debug_line -> what the relocation there says; undefined where the file is linked. */
  readonly #relocated: ReadonlyMap<number, number> | undefined;
  readonly #sections = new Map<string, Buffer>();
  readonly #strings = new Map<string, string>();

  constructor(file: ElfFile, bytes: Buffer) {
    this.#file = file;
    this.#bytes = bytes;
    const section = file.type === ET_REL ? findSection(file, ".rela.debug_line") : undefined;
    if (section === undefined) return;
    const entries = readRelocations(file, section);
    this.#relocated = new Map(entries.map((entry) => [Number(entry.offset), Number(entry.addend)]));
  }

  skip(countBytes: number): void {
    this.at += countBytes;
  }

  unsigned(sizeBytes: 1 | 2 | 4 | 8): number {
    const at = this.at;
    if (at + sizeBytes > this.#bytes.length)
      throw this.bad(`end at ${this.#bytes.length}`, "the whole table");
    this.at += sizeBytes;
    if (sizeBytes === 8) return Number(this.#bytes.readBigUInt64LE(at));
    return this.#bytes.readUIntLE(at, sizeBytes);
  }

  leb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.unsigned(1);
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return value;
      if (scale > 2 ** 49) throw this.bad("a number of more than 49 bits", "a small one");
    }
  }

  string(): string {
    const end = this.#bytes.indexOf(0, this.at);
    if (end < 0) throw this.bad("a name without end", "a null-terminated one");
    const text = this.#bytes.toString("utf8", this.at, end);
    this.at = end + 1;
    return text;
  }

  stringIn(section: string): string {
    const place = this.at;
    const stored = this.unsigned(this.offsetBytes);
    const offset = this.#relocated?.get(place) ?? stored;
    const key = `${section} ${offset}`;
    const known = this.#strings.get(key);
    if (known !== undefined) return known;
    const bytes = this.#sections.get(section) ?? data(this.#file, section);
    this.#sections.set(section, bytes);
    const end = bytes.indexOf(0, offset);
    if (offset >= bytes.length || end < 0) {
      throw this.bad(`name at ${offset} of ${section}`, `below ${bytes.length}`);
    }
    const text = bytes.toString("utf8", offset, end);
    this.#strings.set(key, text);
    return text;
  }

  bad(found: string, wanted: string): BadInput {
    return new BadInput(`read line table of ${this.#file.source.name}`, found, wanted);
  }
}

function data(file: ElfFile, name: string): Buffer {
  const section = findSection(file, name);
  if (section === undefined) return Buffer.alloc(0);
  const bytes = sectionData(file, section);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * A name under its directory. A relative directory is already relative to the tree in Debian's kernels, which
 * are compiled with a prefix map, and so is not put under the directory that the compiler ran in.
 */
function join(base: string, directory: string, name: string): string {
  if (name.startsWith("/")) return name;
  if (directory !== "") return `${directory}/${name}`;
  return base === "" ? name : `${base}/${name}`;
}
