/**
 * Objects that a writer of objects would never write: well-formed to look at, and made so that whoever believes them takes
 * room or time for what is not there, or for the same bytes again and again.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

interface Section {
  readonly type: number;
  readonly flags?: number;
  readonly name?: number;
  readonly data?: Buffer;
  /** What the header says; the data's size where it says the truth. */
  readonly sizeBytes?: number;
  readonly link?: number;
  readonly info?: number;
  readonly entrySizeBytes?: number;
}

const [progbits, symtab, strtab, rela, nobits] = [1, 2, 3, 4, 8] as const;
const [write, alloc, execute, strings] = [1, 2, 4, 0x30] as const;

/** An object of these sections, of which number 1 has the names of all. */
function objectOf(sections: readonly Section[]): Buffer {
  const all: readonly Section[] = [{ type: 0 }, ...sections];
  const headers = Buffer.alloc(64 * all.length);
  const parts: Buffer[] = [Buffer.alloc(64)];
  let end = 64;
  all.forEach(
    ({ type, flags = 0, name = 0, data, sizeBytes, link = 0, info = 0, entrySizeBytes = 0 }, index) => {
      const at = index * 64;
      headers.writeUInt32LE(name, at);
      headers.writeUInt32LE(type, at + 4);
      headers.writeBigUInt64LE(BigInt(flags), at + 8);
      headers.writeBigUInt64LE(BigInt(end), at + 24);
      headers.writeBigUInt64LE(BigInt(sizeBytes ?? data?.length ?? 0), at + 32);
      headers.writeUInt32LE(link, at + 40);
      headers.writeUInt32LE(info, at + 44);
      headers.writeBigUInt64LE(1n, at + 48);
      headers.writeBigUInt64LE(BigInt(entrySizeBytes), at + 56);
      if (data !== undefined) parts.push(data);
      end += data?.length ?? 0;
    },
  );
  const header = parts[0]!; // the first part
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(1, 16); // ET_REL
  header.writeUInt16LE(62, 18); // EM_X86_64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(end), 40);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(all.length, 60);
  header.writeUInt16LE(1, 62);
  return Buffer.concat([...parts, headers]);
}

function symbol(name: number, info: number, section: number, value = 0, sizeBytes = 0): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(name);
  bytes.writeUInt8(info, 4);
  bytes.writeUInt16LE(section, 6);
  bytes.writeBigUInt64LE(BigInt(value), 8);
  bytes.writeBigUInt64LE(BigInt(sizeBytes), 16);
  return bytes;
}

function relocation(offset: number, to: number, type: number, addend = 0): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeBigUInt64LE(BigInt(offset));
  bytes.writeUInt32LE(type, 8);
  bytes.writeUInt32LE(to, 12);
  bytes.writeBigInt64LE(BigInt(addend), 16);
  return bytes;
}

const many = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

function namesOf(...names: readonly string[]): {
  readonly data: Buffer;
  readonly at: (name: string) => number;
} {
  const text = `\0${names.join("\0")}\0`;
  return { data: Buffer.from(text, "latin1"), at: (name) => text.indexOf(`\0${name}\0`) + 1 };
}

const sectionSymbol = (section: number): Buffer => symbol(0, 3, section);
const symbolsOf = (data: Buffer, locals: number): Section => ({
  type: symtab,
  data: Buffer.concat([Buffer.alloc(24), data]),
  link: 1,
  info: locals + 1,
  entrySizeBytes: 24,
});
const relocationsOf = (data: Buffer, target: number): Section => ({
  type: rela,
  data,
  link: 2,
  info: target,
  entrySizeBytes: 24,
});

/** Each of its tables of relocations would be sorted in among the others. */
function manyTables(): Buffer {
  const count = 40_000;
  const names = namesOf(".text.f");
  return objectOf([
    { type: strtab, data: names.data },
    symbolsOf(sectionSymbol(3), 1),
    {
      type: progbits,
      flags: alloc | execute,
      name: names.at(".text.f"),
      data: Buffer.alloc(count * 8, 0x90),
    },
    ...Array.from({ length: count }, (_, index) =>
      relocationsOf(relocation((count - 1 - index) * 8, 1, 2), 3),
    ),
  ]);
}

/** Names that begin in one another, and are not ASCII. */
function overlappingNames(of: "sections" | "symbols", length: number): Buffer {
  const names = Buffer.concat([Buffer.alloc(1), Buffer.alloc(length, 0xc3), Buffer.alloc(1)]);
  const table = { type: strtab, data: names };
  if (of === "sections")
    return objectOf([
      table,
      ...Array.from({ length: 60_000 }, (_, index) => ({ type: progbits, name: 1 + (index % 500) })),
    ]);
  return objectOf([
    table,
    symbolsOf(
      many(150_000, (index) => symbol(1 + (index % 500), 0x10, 0)),
      0,
    ),
  ]);
}

/** A string without an end, of characters of so many bytes, and a pointer to each of its places. */
function endlessString(characterBytes: number): Buffer {
  const count = 60_000;
  const names = namesOf(".rodata.str", ".data.f", "f");
  return objectOf([
    { type: strtab, data: names.data },
    symbolsOf(Buffer.concat([sectionSymbol(3), symbol(names.at("f"), 0x11, 4, 0, count * 8)]), 1),
    {
      type: progbits,
      flags: alloc | strings,
      name: names.at(".rodata.str"),
      data: Buffer.alloc(count * 2, 0x41),
      entrySizeBytes: characterBytes,
    },
    { type: progbits, flags: alloc | write, name: names.at(".data.f"), data: Buffer.alloc(count * 8) },
    relocationsOf(
      many(count, (index) => relocation(index * 8, 1, 1, index * 2)),
      4,
    ),
  ]);
}

/** Static locals of which each is known only by the one before. */
function chainOfStatics(): Buffer {
  const count = 20_000;
  const statics = Array.from({ length: count }, (_, index) => `list.${String(index).padStart(6, "0")}`);
  const names = namesOf("f", ".data.f", ".text.f", ...statics);
  const first = names.at(statics[0]!); // count is not zero
  return objectOf([
    { type: strtab, data: names.data },
    symbolsOf(
      Buffer.concat([
        many(count, (index) => symbol(first + index * 12, 1, 3, index * 8, 8)),
        symbol(names.at("f"), 0x12, 4, 0, 16),
      ]),
      count,
    ),
    { type: progbits, flags: alloc | write, name: names.at(".data.f"), data: Buffer.alloc(count * 8) },
    { type: progbits, flags: alloc | execute, name: names.at(".text.f"), data: Buffer.alloc(16, 0x90) },
    relocationsOf(relocation(4, 1, 10), 4),
    relocationsOf(
      many(count - 1, (index) => relocation(index * 8, index + 2, 1)),
      3,
    ),
  ]);
}

/** Memory without contents, as much as the reader allows, where a table or a string is wanted. */
function emptyMemory(name: string, flags: number): Buffer {
  const names = namesOf("f", name);
  const sizeBytes = 2 ** 31;
  return objectOf([
    { type: strtab, data: names.data },
    symbolsOf(symbol(names.at("f"), 0x11, 3, 0, sizeBytes), 0),
    { type: nobits, flags: alloc | flags, name: names.at(name), sizeBytes, entrySizeBytes: 1 },
  ]);
}

/** A table whose header counts entries up to the file's end, which is far away; the file takes no room on the disk. */
function sparse(what: number, entrySizeBytes: number, sizeBytes: number): (path: string) => void {
  const counted = Math.floor((sizeBytes - 100_000) / 24) * 24;
  const names = namesOf(".text.f", ".symtab");
  const table = { ...relocationsOf(Buffer.alloc(24), 3), type: what, entrySizeBytes, sizeBytes: counted };
  const sections: readonly Section[] = [
    { type: strtab, data: names.data },
    what === symtab ? { ...table, link: 1, info: 1 } : symbolsOf(sectionSymbol(3), 1),
    { type: progbits, flags: alloc | execute, name: names.at(".text.f"), data: Buffer.alloc(64, 0x90) },
    ...(what === symtab ? [] : [table]),
  ];
  return (path) => {
    const descriptor = openSync(path, "w");
    writeSync(descriptor, objectOf(sections));
    ftruncateSync(descriptor, sizeBytes);
    closeSync(descriptor);
  };
}

const written =
  (make: () => Buffer): ((path: string) => void) =>
  (path) => {
    const descriptor = openSync(path, "w");
    writeSync(descriptor, make());
    closeSync(descriptor);
  };

/** What each lies about, and how it is written to a path. */
export const liars: readonly (readonly [what: string, write: (path: string) => void])[] = [
  ["40,000 tables of relocations for one section", written(manyTables)],
  ["names of sections that overlap", written(() => overlappingNames("sections", 65_000))],
  ["names of symbols that overlap", written(() => overlappingNames("symbols", 65_000))],
  ["short names of symbols that overlap", written(() => overlappingNames("symbols", 4000))],
  ["a string without an end", written(() => endlessString(1))],
  ["a string of wide characters without an end", written(() => endlessString(2))],
  ["static locals that are known by one another", written(chainOfStatics)],
  ["2 GB of memory as a variable", written(() => emptyMemory(".bss.f", write))],
  ["2 GB of memory as a table of bugs", written(() => emptyMemory("__bug_table", write))],
  ["2 GB of memory as a string", written(() => emptyMemory(".rodata.str1.1", strings))],
  ["symbols up to the end of 60 MB", sparse(symtab, 24, 60_000_000)],
  ["relocations up to the end of 60 MB", sparse(rela, 24, 60_000_000)],
  ["contents up to the end of 60 MB", sparse(progbits, 0, 60_000_000)],
  ["symbols up to the end of 2 GB", sparse(symtab, 24, 2 ** 31)],
  ["names up to the end of 2 GB", sparse(strtab, 0, 2 ** 31)],
];

/** An object whose code claims this alignment. */
export function alignedTo(alignment: number, object: Uint8Array): Buffer {
  const bytes = Buffer.from(object);
  const [headers, count] = [Number(bytes.readBigUInt64LE(40)), bytes.readUInt16LE(60)];
  for (let at = headers; at < headers + count * 64; at += 64) {
    if (bytes.readUInt32LE(at + 4) === progbits && (bytes.readUInt32LE(at + 8) & execute) !== 0)
      bytes.writeBigUInt64LE(BigInt(alignment), at + 48);
  }
  return bytes;
}
