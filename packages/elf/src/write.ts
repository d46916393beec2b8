/**
 * Writes an object: numbers its sections and symbols, lays them out, and builds the tables. Equal objects give
 * equal bytes. Section order is the object's; each relocation section follows its target, the symbol table and
 * the string tables come last.
 */
import {
  ET_REL,
  SHF_ALLOC,
  SHF_INFO_LINK,
  SHF_RELA_LIVEPATCH,
  SHN_ABS,
  SHN_COMMON,
  SHN_LIVEPATCH,
  SHN_LORESERVE,
  SHN_UNDEF,
  SHT_NOBITS,
  SHT_RELA,
  SHT_STRTAB,
  SHT_SYMTAB,
  STB_LOCAL,
} from "./constants.ts";
import { ElfFormatError } from "./errors.ts";
import type { ElfObject, ObjectRelocation, ObjectSection, ObjectSymbol } from "./object.ts";
import { RELOCATION_SIZE_BYTES } from "./relocations.ts";
import { StringTableBuilder } from "./strings.ts";
import { encodeSymbol, SYMBOL_SIZE_BYTES } from "./symbols.ts";

const HEADER_SIZE_BYTES = 64;
/** More than the largest module of a kernel. */
const MAX_WRITTEN_BYTES = 256 << 20;

/** One section of the file to be, before its place is known. */
interface Planned {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly entrySizeBytes: number;
  readonly sizeBytes: number;
  readonly data: Uint8Array;
  link: number;
  info: number;
}

/**
 * The object as the bytes of an ELF64 little-endian relocatable file.
 *
 * @throws {ElfFormatError} when a relocation names a symbol that the object does not have, or there are more
 * sections than plain numbering allows
 */
export function writeObject(object: ElfObject): Uint8Array {
  // 1. Number the sections: contents first, then what describes them.
  const sectionIndex = new Map<ObjectSection, number>();
  let next = 1;
  for (const section of object.sections) {
    sectionIndex.set(section, next);
    next += 1 + (section.relocations.length > 0 ? 1 : 0) + section.livepatchRelocations.length;
  }
  const symbolTable = next;
  if (next + 3 >= SHN_LORESERVE)
    throw new ElfFormatError(
      `cannot write ${object.name}: it has ${next} sections, wanted below ${SHN_LORESERVE}`,
    );

  // 2. Number the symbols: local ones first, as the specification wants.
  const symbols = object.symbols.toSorted((a, b) => rank(a) - rank(b));
  const symbolIndex = new Map(symbols.map((symbol, index) => [symbol, index + 1]));
  const locals = symbols.filter((symbol) => symbol.binding === STB_LOCAL).length;

  // 3. Describe each section of the file.
  const planned: Planned[] = [plan({ name: "", type: 0 })];
  for (const section of object.sections) {
    const link = section.linkedTo === undefined ? 0 : (sectionIndex.get(section.linkedTo) ?? 0);
    planned.push({ ...section, link, info: 0 });
    const target = planned.length - 1;
    const table = (name: string, flags: number, relocations: readonly ObjectRelocation[]): Planned =>
      plan({
        name,
        type: SHT_RELA,
        flags: flags | SHF_INFO_LINK,
        alignment: 8,
        entrySizeBytes: RELOCATION_SIZE_BYTES,
        data: relocationBytes(object, name, relocations, symbolIndex),
        link: symbolTable,
        info: target,
      });
    if (section.relocations.length > 0) planned.push(table(`.rela${section.name}`, 0, section.relocations));
    for (const { patchedObject, relocations } of section.livepatchRelocations) {
      const name = `.klp.rela.${patchedObject}.${section.name}`;
      planned.push(table(name, SHF_RELA_LIVEPATCH | SHF_ALLOC, relocations));
    }
  }
  const names = new StringTableBuilder();
  planned.push(
    plan({
      name: ".symtab",
      type: SHT_SYMTAB,
      alignment: 8,
      entrySizeBytes: SYMBOL_SIZE_BYTES,
      data: symbolBytes(object, symbols, sectionIndex, names),
      link: symbolTable + 1,
      info: locals + 1,
    }),
  );
  planned.push(plan({ name: ".strtab", type: SHT_STRTAB, alignment: 1, data: names.bytes() }));
  return layOut(object, planned);
}

/** Section symbols, then other locals, then the rest; the sort is stable, so order is the object's otherwise. */
function rank(symbol: ObjectSymbol): number {
  return symbol.binding === STB_LOCAL ? 0 : 1;
}

function plan(given: Partial<Planned> & { name: string; type: number }): Planned {
  const data = given.data ?? new Uint8Array(0);
  return {
    flags: 0,
    alignment: 0,
    entrySizeBytes: 0,
    link: 0,
    info: 0,
    sizeBytes: data.length,
    ...given,
    data,
  };
}

function relocationBytes(
  object: ElfObject,
  table: string,
  relocations: readonly ObjectRelocation[],
  symbolIndex: ReadonlyMap<ObjectSymbol, number>,
): Uint8Array {
  const bytes = new Uint8Array(relocations.length * RELOCATION_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  relocations.forEach((relocation, entry) => {
    const index = symbolIndex.get(relocation.symbol);
    if (index === undefined)
      throw new ElfFormatError(
        `cannot write ${table} of ${object.name}: symbol ${relocation.symbol.name} is not in the symbol table, wanted in it`,
      );
    const at = entry * RELOCATION_SIZE_BYTES;
    view.setBigUint64(at, BigInt(relocation.offset), true);
    view.setUint32(at + 8, relocation.type, true);
    view.setUint32(at + 12, index, true);
    view.setBigInt64(at + 16, BigInt(relocation.addend), true);
  });
  return bytes;
}

function symbolBytes(
  object: ElfObject,
  symbols: readonly ObjectSymbol[],
  sectionIndex: ReadonlyMap<ObjectSection, number>,
  names: StringTableBuilder,
): Uint8Array {
  const bytes = new Uint8Array((symbols.length + 1) * SYMBOL_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  symbols.forEach((symbol, entry) => {
    encodeSymbol(view, (entry + 1) * SYMBOL_SIZE_BYTES, {
      ...symbol,
      nameOffset: names.add(symbol.name),
      sectionIndex: placeIndex(object, symbol, sectionIndex),
      value: BigInt(symbol.value),
    });
  });
  return bytes;
}

function placeIndex(
  object: ElfObject,
  symbol: ObjectSymbol,
  sections: ReadonlyMap<ObjectSection, number>,
): number {
  switch (symbol.place.kind) {
    case "undefined":
      return SHN_UNDEF;
    case "absolute":
      return SHN_ABS;
    case "common":
      return SHN_COMMON;
    case "livepatch":
      return SHN_LIVEPATCH;
    case "section": {
      const index = sections.get(symbol.place.section);
      if (index === undefined)
        throw new ElfFormatError(
          `cannot write symbol ${symbol.name} of ${object.name}: its section ${symbol.place.section.name} is not in the object, wanted in it`,
        );
      return index;
    }
  }
}

function layOut(object: ElfObject, planned: readonly Planned[]): Uint8Array {
  const sectionNames = new StringTableBuilder();
  const nameOffsets = [
    ...planned.map((section) => sectionNames.add(section.name)),
    sectionNames.add(".shstrtab"),
  ];
  const all = [
    ...planned,
    plan({ name: ".shstrtab", type: SHT_STRTAB, alignment: 1, data: sectionNames.bytes() }),
  ];
  let end = HEADER_SIZE_BYTES;
  const offsets = all.map((section) => {
    const offset = align(end, section.alignment);
    if (section.type !== SHT_NOBITS) end = offset + section.data.length;
    return offset;
  });
  const tableOffset = align(end, 8);
  const sizeBytes = tableOffset + all.length * 64;
  // Not by contents, which were read from somewhere, but by alignment alone.
  if (sizeBytes > MAX_WRITTEN_BYTES)
    throw new ElfFormatError(
      `cannot write ${object.name}: with its sections' alignment it has ${sizeBytes} bytes, wanted at most ${MAX_WRITTEN_BYTES}`,
    );
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);

  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ET_REL, true);
  view.setUint16(18, object.machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(tableOffset), true);
  view.setUint32(48, object.flags, true);
  view.setUint16(52, HEADER_SIZE_BYTES, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, all.length, true);
  view.setUint16(62, all.length - 1, true);

  all.forEach((section, index) => {
    const offset = offsets[index] ?? 0;
    if (section.type !== SHT_NOBITS) bytes.set(section.data, offset);
    const at = tableOffset + index * 64;
    view.setUint32(at, nameOffsets[index] ?? 0, true);
    view.setUint32(at + 4, section.type, true);
    view.setBigUint64(at + 8, BigInt(section.flags), true);
    view.setBigUint64(at + 24, BigInt(index === 0 ? 0 : offset), true);
    view.setBigUint64(at + 32, BigInt(section.sizeBytes), true);
    view.setUint32(at + 40, section.link, true);
    view.setUint32(at + 44, section.info, true);
    view.setBigUint64(at + 48, BigInt(section.alignment), true);
    view.setBigUint64(at + 56, BigInt(section.entrySizeBytes), true);
  });
  return bytes;
}

function align(value: number, alignment: number): number {
  return alignment <= 1 ? value : Math.ceil(value / alignment) * alignment;
}
