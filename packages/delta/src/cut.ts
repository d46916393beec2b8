/**
 * Where an object is cut into parts. The compiler was asked for one section per symbol (-ffunction-sections
 * -fdata-sections), so most sections are one part; the others are cut at their symbols (per-cpu data, sections chosen by
 * attributes), or where something points at (strings, constants, alternatives). What nothing points at is no part: the
 * tail of a string that another one shares is one, from where it is used to its end.
 */
import {
  ElfFormatError,
  type ElfObject,
  type ObjectSection,
  type ObjectSymbol,
  SHF_MERGE,
  SHF_STRINGS,
  SHF_WRITE,
  sectionOf,
  STB_GLOBAL,
  STB_WEAK,
  STT_FUNC,
  STT_OBJECT,
  STT_SECTION,
} from "@kgraft/elf";
import type { Architecture } from "./arch/architecture.ts";
import { isLiteralName, isPrefixSymbol, isSiteStatic, staticLocalName } from "./names.ts";
import { typeIdOf, typeIdSection } from "./type-ids.ts";
import { isCode, isIgnored, type Part, type PartKind } from "./part.ts";

/** Offsets of each section that relocations lead to, other than by the name of a function or variable. */
export function pointedAtOffsets(
  object: ElfObject,
  architecture: Architecture,
): Map<ObjectSection, Set<number>> {
  const offsets = new Map<ObjectSection, Set<number>>();
  for (const from of object.sections) {
    if (isIgnored(from)) continue;
    for (const { symbol, offset, addend, type } of from.relocations) {
      if (isNamed(symbol) || symbol.place.kind !== "section") continue;
      const distance = isCode(from) ? architecture.pcDistance(from.data, offset, type) : 0;
      const { section } = symbol.place;
      // A label's own place counts, whatever is added to it.
      const place = symbol.type === STT_SECTION ? addend + distance : symbol.value;
      const known = offsets.get(section);
      if (known === undefined) offsets.set(section, new Set([place]));
      else known.add(place);
    }
  }
  return offsets;
}

/**
 * The parts of a section, in order.
 *
 * @param sizes bytes of the kernel's structures, by which a macro's own variables are told
 */
export function cut(
  section: ObjectSection,
  symbols: readonly ObjectSymbol[],
  pointedAt: ReadonlySet<number>,
  sizes: ReadonlyMap<string, number>,
): Part[] {
  const labels = symbols.filter(({ type }) => type !== STT_SECTION).toSorted((a, b) => a.value - b.value);
  if (labels.some(isNamed)) return cutAtSymbols(section, labels, sizes);
  if (section.sizeBytes === 0) return [];
  const places = [...pointedAt].filter((offset) => offset >= 0 && offset < section.sizeBytes);
  const isMerged = (section.flags & SHF_MERGE) !== 0;
  const starts = sorted(isMerged ? places.map((place) => entryStart(section, place)) : [0, ...places]);
  const inside = divide(labels, starts);
  const ends = isMerged ? entryEnds(section, starts) : [...starts.slice(1), section.sizeBytes];
  return starts.map((start, index) => {
    const end = ends[index]!; // as many as starts
    const kind = isMerged ? "literal" : "nameless";
    return { section, start, end, name: undefined, symbols: inside[index]!, kind }; // as many as starts
  });
}

function cutAtSymbols(
  section: ObjectSection,
  labels: readonly ObjectSymbol[],
  sizes: ReadonlyMap<string, number>,
): Part[] {
  const mains = Map.groupBy(labels.filter(isNamed), ({ value }) => value);
  const starts = [...mains.keys()];
  const inside = divide(labels, starts);
  const parts = starts.map((value, index): Part => {
    const main = mains.get(value)!.toSorted((a, b) => rank(a) - rank(b))[0]!; // a group has a member
    const next = starts[index + 1] ?? section.sizeBytes;
    // Alone in its section: the whole of it, with the padding that may stand before the symbol.
    const isAlone = starts.length === 1;
    const start = isAlone ? 0 : value;
    const own = isAlone ? labels : inside[index]!; // as many as starts
    const ownEnd = value + main.sizeBytes;
    const isWhole = isAlone || main.sizeBytes === 0 || own.some((label) => isUnclaimed(label, ownEnd));
    const end = isWhole ? next : Math.min(next, ownEnd);
    return { section, start, end, name: main.name, symbols: own, kind: kindOf(section, main, sizes) };
  });
  // What stands before the first symbol may be pointed at as well: `.BTF_ids + 0` is the set's own head.
  const first = parts[0]?.start ?? 0;
  if (first > 0)
    parts.unshift({ section, start: 0, end: first, name: undefined, symbols: [], kind: "nameless" });
  return parts;
}

/** Assembly without a type that stands after what a symbol's size says: with that one it is cut, and compared. */
function isUnclaimed({ name, binding, value }: ObjectSymbol, end: number): boolean {
  return binding === STB_GLOBAL && value >= end && !isPrefixSymbol(name);
}

/** The labels from each start to the next; both are in order. */
function divide(labels: readonly ObjectSymbol[], starts: readonly number[]): ObjectSymbol[][] {
  const divided = starts.map((): ObjectSymbol[] => []);
  let index = -1;
  for (const label of labels) {
    while (index + 1 < starts.length && starts[index + 1]! <= label.value) index++; // index + 1 < length
    divided[index]?.push(label);
  }
  return divided;
}

function isNamed(symbol: ObjectSymbol): boolean {
  const { type, name } = symbol;
  if (sectionOf(symbol)?.name === typeIdSection)
    return typeIdOf(symbol) === undefined && type !== STT_SECTION;
  return (type === STT_FUNC || type === STT_OBJECT) && !isPrefixSymbol(name);
}

function sorted(offsets: readonly number[]): number[] {
  return [...new Set(offsets)].toSorted((a, b) => a - b);
}

function kindOf(
  section: ObjectSection,
  { name, sizeBytes }: ObjectSymbol,
  sizes: ReadonlyMap<string, number>,
): PartKind {
  if (isCode(section)) return "function";
  if (isSiteStatic({ name, section: section.name, sizeBytes }, sizes)) return "site-static";
  if ((section.flags & SHF_WRITE) !== 0) return "data";
  if (isLiteralName(name)) return "literal";
  return staticLocalName(name) !== undefined && section.relocations.length === 0 ? "constant" : "data";
}

/** Of several names of one thing, the one that says most surely which it is: a global's, then a weak one's. */
function rank({ binding }: ObjectSymbol): number {
  return binding === STB_GLOBAL ? 0 : binding === STB_WEAK ? 1 : 2;
}

/** In a section of constants of one size, where the one begins that holds `place`; a string begins where it is used. */
function entryStart(section: ObjectSection, place: number): number {
  const size = section.entrySizeBytes;
  return isStrings(section) || size === 0 ? place : place - (place % size);
}

/** A string that is pointed at within is compared from each such place: so much may all together have. */
const MAX_OVERLAP = 64;
const SMALL_BYTES = 1 << 20;

/** Where the entries end that begin at these places, which are in order. Those of one string end together. */
function entryEnds(section: ObjectSection, starts: readonly number[]): number[] {
  const size = section.entrySizeBytes || 1;
  const known = new Map<number, number>();
  let total = 0;
  return starts.map((start) => {
    const last = known.get(start % size) ?? 0;
    const end = isStrings(section) && start < last ? last : entryEnd(section, start);
    known.set(start % size, end);
    total += end - start;
    const most = section.sizeBytes * MAX_OVERLAP + SMALL_BYTES;
    if (total > most)
      throw new ElfFormatError(
        `cannot take ${section.name} apart: what is pointed at has more than ${total} bytes, wanted at most ${most} of a section of ${section.sizeBytes}`,
      );
    return end;
  });
}

/** Strings end after a zero character, which may have two bytes or four (`L"db"` of EFI variables). */
function entryEnd(section: ObjectSection, start: number): number {
  const { data, sizeBytes } = section;
  const size = section.entrySizeBytes || 1;
  if (!isStrings(section)) return Math.min(start + (section.entrySizeBytes || sizeBytes), sizeBytes);
  if (size === 1) {
    const zero = data.indexOf(0, start);
    return zero < 0 ? sizeBytes : zero + 1;
  }
  for (let at = start; at < sizeBytes; at += size) {
    if (data.subarray(at, at + size).every((byte) => byte === 0)) return Math.min(at + size, sizeBytes);
  }
  return sizeBytes;
}

function isStrings({ flags }: ObjectSection): boolean {
  return (flags & SHF_STRINGS) !== 0;
}
