/**
 * An object cut into parts: the pieces that are kept or left as a whole. A part is a function, a variable, a string,
 * a constant, or a nameless run of bytes that something points at. The compiler was asked for one section per symbol
 * (-ffunction-sections -fdata-sections), so most sections are one part; the others (strings, per-cpu data, sections
 * chosen by attributes) are cut at their symbols, at the ends of their strings, or where references point.
 */
import {
  type ElfObject,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectSymbol,
  sectionOf,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_MERGE,
  SHF_STRINGS,
  SHF_WRITE,
  STT_FUNC,
  STT_OBJECT,
  STT_SECTION,
} from "@kgraft/elf";
import type { Architecture } from "./arch/architecture.ts";
import { isLiteralName, isPrefixSymbol, isSiteStatic, staticLocalName } from "./names.ts";

export interface Part {
  readonly section: ObjectSection;
  /** Offset of its first byte in the section. */
  readonly start: number;
  readonly end: number;
  /** The main symbol's name; undefined for strings and nameless runs. */
  readonly name: string | undefined;
  /** All symbols that lie in it, sections' own excepted. */
  readonly symbols: readonly ObjectSymbol[];
  readonly kind: PartKind;
}

export type PartKind =
  /** Code with a name. */
  | "function"
  /** A variable or table with a name, and with an identity: others may hold its address. */
  | "data"
  /** A static local that is read only and points nowhere: it has a name, but what matters is its contents. */
  | "constant"
  /** A constant that is known by its contents only. */
  | "literal"
  /** A macro's own writable static, bound to one place in the code. */
  | "site-static"
  /** Bytes without a name that something points at: alternatives, out-of-line code. */
  | "nameless";

/** Where a relocation leads. */
export type Target =
  | { readonly kind: "part"; readonly part: Part; readonly offset: number }
  | { readonly kind: "outside"; readonly symbol: ObjectSymbol; readonly offset: number }
  | { readonly kind: "nowhere"; readonly section: ObjectSection; readonly offset: number };

export interface Reference {
  /** Offset of the field from the start of its part. */
  readonly offset: number;
  readonly relocation: ObjectRelocation;
  readonly target: Target;
}

/** An object and its parts. */
export class Parts {
  readonly object: ElfObject;
  readonly architecture: Architecture;
  readonly all: readonly Part[];
  readonly #bySection = new Map<ObjectSection, Part[]>();
  readonly #references = new Map<Part, readonly Reference[]>();

  constructor(object: ElfObject, architecture: Architecture) {
    this.object = object;
    this.architecture = architecture;
    const symbols = Map.groupBy(object.symbols, sectionOf);
    const pointedAt = pointedAtOffsets(object, architecture);
    for (const section of object.sections) {
      if (isIgnored(section)) continue;
      this.#bySection.set(
        section,
        cut(section, symbols.get(section) ?? [], pointedAt.get(section) ?? new Set()),
      );
    }
    this.all = [...this.#bySection.values()].flat();
  }

  ofSection(section: ObjectSection): readonly Part[] {
    return this.#bySection.get(section) ?? [];
  }

  /** Relocations inside a part, each with where it leads. */
  references(part: Part): readonly Reference[] {
    let known = this.#references.get(part);
    if (known === undefined) {
      known = relocationsWithin(part.section, part.start, part.end).map((relocation) => ({
        offset: relocation.offset - part.start,
        relocation,
        target: this.target(part.section, relocation),
      }));
      this.#references.set(part, known);
    }
    return known;
  }

  /** Says what a part refers to, where its relocations say it badly. */
  correctReferences(part: Part, references: readonly Reference[]): void {
    this.#references.set(part, references);
  }

  /** Where a relocation of `from` leads. */
  target(from: ObjectSection, relocation: ObjectRelocation): Target {
    const { symbol } = relocation;
    const section = sectionOf(symbol);
    const distance = isCode(from)
      ? this.architecture.pcDistance(from.data, relocation.offset, relocation.type)
      : 0;
    const reach = relocation.addend + distance;
    if (section === undefined) return { kind: "outside", symbol, offset: reach };
    const place = symbol.value + reach;
    // A named symbol says itself what is meant, even where the addend leads out of it.
    const part = this.#partAt(section, symbol.type === STT_SECTION ? place : symbol.value);
    if (part === undefined) return { kind: "nowhere", section, offset: place };
    return { kind: "part", part, offset: place - part.start };
  }

  #partAt(section: ObjectSection, offset: number): Part | undefined {
    const parts = this.ofSection(section);
    if (parts.length === 1) return parts[0];
    // The last part that starts at or before: pointers to the end of a section are legal.
    const last = upperBound(parts, offset, (part) => part.start);
    return offset > section.sizeBytes ? undefined : parts[last - 1];
  }
}

/** Relocations of a section whose fields begin in [start, end); the tables are ordered by offset. */
function relocationsWithin(section: ObjectSection, start: number, end: number): ObjectRelocation[] {
  const { relocations } = section;
  const first = upperBound(relocations, start - 1, (relocation) => relocation.offset);
  const last = upperBound(relocations, end - 1, (relocation) => relocation.offset);
  return relocations.slice(first, last);
}

/** Index of the first entry whose key is greater than `value`. */
function upperBound<T>(entries: readonly T[], value: number, key: (entry: T) => number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(entries[middle]!) <= value) low = middle + 1; // middle < length
    else high = middle;
  }
  return low;
}

/**
 * Sections that are not in the running kernel: debug data, notes, what the linker throws away. The kernel unwinds by
 * tables of its own, and is compiled without DWARF's (`.eh_frame`).
 */
export function isIgnored(section: ObjectSection): boolean {
  return (
    (section.flags & SHF_ALLOC) === 0 || /^\.(discard|note|comment|llvm_addrsig|eh_frame)/.test(section.name)
  );
}

export function isCode(section: ObjectSection): boolean {
  return (section.flags & SHF_EXECINSTR) !== 0;
}

/**
 * Sections that hold code, variables, constants and strings, whatever attribute chose them. Descriptors of debug
 * messages (`__dyndbg`) are among them: a live patch is a module, and a module brings its own.
 */
export function isStorage(section: ObjectSection): boolean {
  return (
    isCode(section) ||
    /^\.(data|rodata|bss|ref\.data|(init|exit|meminit|memexit)\.(data|rodata)|altinstr)|^__(bss|dyndbg)/.test(
      section.name,
    )
  );
}

export function isWritable(part: Part): boolean {
  return (part.section.flags & SHF_WRITE) !== 0 && !part.section.name.startsWith(".data.rel.ro");
}

/** The bytes of a part; of memory without contents, zeros. */
export function partBytes(part: Part): Uint8Array {
  const { data } = part.section;
  return data.length === 0 ? new Uint8Array(part.end - part.start) : data.subarray(part.start, part.end);
}

/** How messages call a part. */
export function describe(part: Part): string {
  return part.name ?? `${part.section.name}+0x${part.start.toString(16)}`;
}

function pointedAtOffsets(object: ElfObject, architecture: Architecture): Map<ObjectSection, Set<number>> {
  const offsets = new Map<ObjectSection, Set<number>>();
  for (const from of object.sections) {
    if (isIgnored(from)) continue;
    for (const { symbol, offset, addend, type } of from.relocations) {
      if (symbol.type !== STT_SECTION || symbol.place.kind !== "section") continue;
      const distance = isCode(from) ? architecture.pcDistance(from.data, offset, type) : 0;
      const { section } = symbol.place;
      const known = offsets.get(section);
      if (known === undefined) offsets.set(section, new Set([addend + distance]));
      else known.add(addend + distance);
    }
  }
  return offsets;
}

function cut(
  section: ObjectSection,
  symbols: readonly ObjectSymbol[],
  pointedAt: ReadonlySet<number>,
): Part[] {
  const named = symbols.filter(
    ({ type, name }) => (type === STT_FUNC || type === STT_OBJECT) && !isPrefixSymbol(name),
  );
  if (named.length > 0) return cutAtSymbols(section, symbols, named);
  const merged = (section.flags & SHF_MERGE) !== 0;
  const starts = merged
    ? (section.flags & SHF_STRINGS) !== 0
      ? stringStarts(section.data)
      : everyEntry(section)
    : [0, ...[...pointedAt].filter((offset) => offset > 0 && offset < section.sizeBytes)].toSorted(
        (a, b) => a - b,
      );
  if (section.sizeBytes === 0) return [];
  return starts.map((start, index) => {
    const end = starts[index + 1] ?? section.sizeBytes;
    const inside = symbols.filter((s) => s.type !== STT_SECTION && s.value >= start && s.value < end);
    return { section, start, end, name: undefined, symbols: inside, kind: merged ? "literal" : "nameless" };
  });
}

function cutAtSymbols(
  section: ObjectSection,
  symbols: readonly ObjectSymbol[],
  named: readonly ObjectSymbol[],
): Part[] {
  const starts = [...new Set(named.map((symbol) => symbol.value))].toSorted((a, b) => a - b);
  const parts = starts.map((value, index): Part => {
    const main = named
      .filter((symbol) => symbol.value === value)
      .toSorted((a, b) => b.binding - a.binding)[0]!; // a start has a symbol
    const next = starts[index + 1] ?? section.sizeBytes;
    // Alone in its section: the whole of it, with the padding that may stand before the symbol.
    const start = starts.length === 1 ? 0 : value;
    const end = starts.length === 1 || main.sizeBytes === 0 ? next : Math.min(next, value + main.sizeBytes);
    const inside = symbols.filter(
      (s) => s.type !== STT_SECTION && s.value >= start && s.value < Math.max(next, start + 1),
    );
    return { section, start, end, name: main.name, symbols: inside, kind: kindOf(section, main) };
  });
  // What stands before the first symbol may be pointed at as well: `.BTF_ids + 0` is the set's own head.
  const first = parts[0]?.start ?? 0;
  if (first > 0)
    parts.unshift({ section, start: 0, end: first, name: undefined, symbols: [], kind: "nameless" });
  return parts;
}

function kindOf(section: ObjectSection, main: ObjectSymbol): PartKind {
  if (isCode(section)) return "function";
  if (isSiteStatic(main.name, section.name)) return "site-static";
  if ((section.flags & SHF_WRITE) !== 0) return "data";
  if (isLiteralName(main.name)) return "literal";
  return staticLocalName(main.name) !== undefined && section.relocations.length === 0 ? "constant" : "data";
}

function stringStarts(data: Uint8Array): number[] {
  const starts: number[] = [];
  for (let at = 0; at < data.length;) {
    starts.push(at);
    const end = data.indexOf(0, at);
    at = end < 0 ? data.length : end + 1;
  }
  return starts;
}

function everyEntry(section: ObjectSection): number[] {
  const step = section.entrySizeBytes || section.sizeBytes;
  return Array.from({ length: Math.ceil(section.sizeBytes / step) }, (_, entry) => entry * step);
}
