/**
 * A relocatable object as a graph: relocations point at symbols, symbols at sections, and no index is kept.
 * So parts can be taken from one object and put into another, and the writer numbers everything at the end.
 * The symbol table, string tables and relocation sections of the file are not sections here: they are what the
 * graph is read from and written to.
 */
import {
  ET_REL,
  SHF_RELA_LIVEPATCH,
  SHN_ABS,
  SHN_COMMON,
  SHN_LIVEPATCH,
  SHN_UNDEF,
  SHT_GROUP,
  SHT_NOBITS,
  SHT_NULL,
  SHT_REL,
  SHT_RELA,
  SHT_STRTAB,
  SHT_SYMTAB,
  SHT_SYMTAB_SHNDX,
} from "./constants.ts";
import { type ElfFile, fail, openElf, sectionData, type SectionHeader } from "./file.ts";
import { readRelocations, RELOCATION_SIZE_BYTES } from "./relocations.ts";
import type { ByteSource } from "./source.ts";
import { type ElfSymbol, readSymbols, SYMBOL_SIZE_BYTES } from "./symbols.ts";

export interface ElfObject {
  readonly name: string;
  readonly machine: number;
  /** e_flags; on POWER the ABI version. */
  readonly flags: number;
  sections: ObjectSection[];
  symbols: ObjectSymbol[];
}

export interface ObjectSection {
  name: string;
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly entrySizeBytes: number;
  /** Contents; empty for SHT_NOBITS. */
  data: Uint8Array;
  /** Size in memory; differs from the data's only for SHT_NOBITS. */
  sizeBytes: number;
  /** What the module loader (or linker) applies, ordered by offset. */
  relocations: ObjectRelocation[];
  /** What the livepatch core applies: one table per patched object, see `SHF_RELA_LIVEPATCH`. */
  livepatchRelocations: LivepatchRelocations[];
  /** The section that sh_link names, where it names one (SHF_LINK_ORDER). */
  linkedTo: ObjectSection | undefined;
  /** Whether the section belongs to a COMDAT group. */
  readonly grouped: boolean;
}

export interface LivepatchRelocations {
  /** `vmlinux` or the name of a module. */
  readonly patchedObject: string;
  relocations: ObjectRelocation[];
}

export interface ObjectSymbol {
  name: string;
  binding: number;
  readonly type: number;
  readonly other: number;
  place: SymbolPlace;
  /** Offset into the section; alignment for a common symbol. */
  value: number;
  sizeBytes: number;
}

export type SymbolPlace =
  | { readonly kind: "section"; readonly section: ObjectSection }
  | { readonly kind: "undefined" }
  | { readonly kind: "absolute" }
  | { readonly kind: "common" }
  /** Resolved by the livepatch core from its name. */
  | { readonly kind: "livepatch" };

export interface ObjectRelocation {
  /** Offset of the field in the section that the table belongs to. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: ObjectSymbol;
  readonly addend: number;
}

/** The largest modules of a kernel have a tenth of it, debug data included. */
const MAX_OBJECT_BYTES = 2 ** 30;

/** Each becomes a value of its own; the largest units of a kernel have a tenth of it. */
const MAX_OBJECT_SYMBOLS = 500_000;
const MAX_OBJECT_RELOCATIONS = 1_000_000;

const livepatchTable = /^\.klp\.rela\.([^.]+)\./;

/**
 * Reads a relocatable object.
 *
 * @param keep which sections with contents are wanted; symbols of the others count as absolute
 * @throws {ElfFormatError} when the file is malformed or not relocatable
 */
export function readObject(
  source: ByteSource,
  keep: (section: SectionHeader) => boolean = () => true,
): ElfObject {
  if (source.sizeBytes > MAX_OBJECT_BYTES)
    fail(source, "object", `file size is ${source.sizeBytes}, wanted at most ${MAX_OBJECT_BYTES}`);
  const file = openElf(source);
  if (file.type !== ET_REL)
    fail(source, "ELF header", `type is ${file.type}, wanted ${ET_REL} (relocatable)`);
  const grouped = groupMembers(file);
  const sections = new Map<number, ObjectSection>();
  for (const header of file.sections) {
    if (!isContents(header.type) || !keep(header)) continue;
    const data = Uint8Array.from(sectionData(file, header));
    sections.set(header.index, {
      name: header.name,
      type: header.type,
      flags: header.flags,
      alignment: header.alignment,
      entrySizeBytes: header.entrySizeBytes,
      data,
      sizeBytes: header.sizeBytes,
      relocations: [],
      livepatchRelocations: [],
      linkedTo: undefined,
      grouped: grouped.has(header.index),
    });
  }
  for (const [index, section] of sections) section.linkedTo = sections.get(file.sections[index]?.link ?? 0);

  checkCount(file, "symbols", SHT_SYMTAB, SYMBOL_SIZE_BYTES, MAX_OBJECT_SYMBOLS);
  checkCount(file, "relocations", SHT_RELA, RELOCATION_SIZE_BYTES, MAX_OBJECT_RELOCATIONS);
  const symbols = readSymbols(file).map((symbol) => objectSymbol(file, sections, symbol));
  const loaded = new Map<ObjectSection, ObjectRelocation[]>();
  for (const header of file.sections) {
    if (header.type === SHT_REL) fail(source, `section ${header.name}`, "type is SHT_REL, wanted SHT_RELA");
    const target = file.sections[header.info];
    if (header.type !== SHT_RELA || (target !== undefined && isContents(target.type) && !keep(target)))
      continue;
    attachRelocations(file, header, sections, symbols, loaded);
  }
  // At the end, for there may be many tables for one section.
  for (const [section, relocations] of loaded)
    section.relocations = relocations.toSorted((a, b) => a.offset - b.offset);
  return {
    name: source.name,
    machine: file.machine,
    flags: file.flags,
    sections: [...sections.values()],
    // The null symbol is the writer's.
    symbols: symbols.slice(1),
  };
}

function checkCount(file: ElfFile, what: string, type: number, entryBytes: number, most: number): void {
  const tables = file.sections.filter((section) => section.type === type);
  const count = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / entryBytes;
  if (count > most) fail(file.source, what, `there are ${Math.floor(count)}, wanted at most ${most}`);
}

/** The same graph once more, to be changed without changing the first. */
export function copyObject(object: ElfObject): ElfObject {
  const sections = new Map(object.sections.map((one) => [one, { ...one, data: one.data.slice() }]));
  const symbols = new Map<ObjectSymbol, ObjectSymbol>();
  const symbolOf = (one: ObjectSymbol): ObjectSymbol => {
    let copy = symbols.get(one);
    if (copy === undefined) symbols.set(one, (copy = { ...one, place: copiedPlace(one.place, sections) }));
    return copy;
  };
  const copied = (relocations: readonly ObjectRelocation[]): ObjectRelocation[] =>
    relocations.map((one) => ({ ...one, symbol: symbolOf(one.symbol) }));
  for (const section of sections.values()) {
    section.relocations = copied(section.relocations);
    section.livepatchRelocations = section.livepatchRelocations.map(({ patchedObject, relocations }) => ({
      patchedObject,
      relocations: copied(relocations),
    }));
    section.linkedTo = section.linkedTo && sections.get(section.linkedTo);
  }
  return { ...object, sections: [...sections.values()], symbols: object.symbols.map(symbolOf) };
}

function copiedPlace(place: SymbolPlace, sections: ReadonlyMap<ObjectSection, ObjectSection>): SymbolPlace {
  const section = place.kind === "section" ? sections.get(place.section) : undefined;
  return section === undefined ? place : { kind: "section", section };
}

/** The first section of that name. */
export function sectionNamed(object: ElfObject, name: string): ObjectSection | undefined {
  return object.sections.find((section) => section.name === name);
}

/** The section a symbol is defined in, or undefined where it is in none. */
export function sectionOf(symbol: ObjectSymbol): ObjectSection | undefined {
  return symbol.place.kind === "section" ? symbol.place.section : undefined;
}

function isContents(type: number): boolean {
  return ![SHT_NULL, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_REL, SHT_GROUP, SHT_SYMTAB_SHNDX].includes(type);
}

function groupMembers(file: ElfFile): Set<number> {
  const members = new Set<number>();
  for (const header of file.sections) {
    if (header.type !== SHT_GROUP) continue;
    const bytes = sectionData(file, header);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 4; at + 4 <= bytes.length; at += 4) members.add(view.getUint32(at, true));
  }
  return members;
}

function objectSymbol(
  file: ElfFile,
  sections: ReadonlyMap<number, ObjectSection>,
  symbol: ElfSymbol,
): ObjectSymbol {
  const { name, binding, type, other, sizeBytes } = symbol;
  const place = placeOf(file, sections, symbol);
  const value = Number(symbol.value);
  if (place.kind === "section" && value > place.section.sizeBytes)
    fail(
      file.source,
      `symbol ${name}`,
      `value is ${value}, wanted at most ${place.section.sizeBytes} (its section's size)`,
    );
  return { name, binding, type, other, place, value, sizeBytes };
}

function placeOf(
  file: ElfFile,
  sections: ReadonlyMap<number, ObjectSection>,
  symbol: ElfSymbol,
): SymbolPlace {
  if (symbol.reserved) {
    if (symbol.sectionIndex === SHN_ABS) return { kind: "absolute" };
    if (symbol.sectionIndex === SHN_COMMON) return { kind: "common" };
    if (symbol.sectionIndex === SHN_LIVEPATCH) return { kind: "livepatch" };
    fail(
      file.source,
      `symbol ${symbol.name}`,
      `section index is 0x${symbol.sectionIndex.toString(16)}, wanted a known one`,
    );
  }
  if (symbol.sectionIndex === SHN_UNDEF) return { kind: "undefined" };
  const section = sections.get(symbol.sectionIndex);
  // Of a section that is not kept; or a group's signature, to which nothing refers.
  return section === undefined ? { kind: "absolute" } : { kind: "section", section };
}

function attachRelocations(
  file: ElfFile,
  header: SectionHeader,
  sections: ReadonlyMap<number, ObjectSection>,
  symbols: readonly ObjectSymbol[],
  loaded: Map<ObjectSection, ObjectRelocation[]>,
): void {
  const target = sections.get(header.info);
  if (target === undefined)
    fail(
      file.source,
      `relocations ${header.name}`,
      `target section index is ${header.info}, wanted a section with contents`,
    );
  if (file.sections[header.link]?.type !== SHT_SYMTAB)
    fail(
      file.source,
      `relocations ${header.name}`,
      `symbol table index is ${header.link}, wanted the symbol table's`,
    );
  const relocations = readRelocations(file, header).map((raw): ObjectRelocation => {
    const symbol = symbols[raw.symbol];
    const offset = Number(raw.offset);
    const addend = Number(raw.addend);
    if (symbol === undefined)
      fail(
        file.source,
        `relocations ${header.name}`,
        `symbol index is ${raw.symbol}, wanted below ${symbols.length}`,
      );
    if (offset >= target.sizeBytes || target.type === SHT_NOBITS)
      fail(
        file.source,
        `relocations ${header.name}`,
        `offset is ${offset}, wanted below ${target.data.length}`,
      );
    if (!Number.isSafeInteger(addend))
      fail(file.source, `relocations ${header.name}`, `addend is ${raw.addend}, wanted at most 2^53`);
    return { offset, type: raw.type, symbol, addend };
  });
  const patchedObject = livepatchTable.exec(header.name)?.[1];
  if ((header.flags & SHF_RELA_LIVEPATCH) !== 0 && patchedObject !== undefined) {
    target.livepatchRelocations.push({ patchedObject, relocations });
  } else {
    const all = loaded.get(target) ?? [];
    for (const relocation of relocations) all.push(relocation);
    loaded.set(target, all);
  }
}
