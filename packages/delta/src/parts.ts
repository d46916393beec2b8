/** An object and its parts: which there are (cut.ts), and what each refers to. */
import {
  ElfFormatError,
  type ElfObject,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectSymbol,
  sectionOf,
  STT_SECTION,
} from "@kgraft/elf";
import type { Architecture } from "./arch/architecture.ts";
import { cut, pointedAtOffsets } from "./cut.ts";
import { isCode, isIgnored, type Part, partBytes, sectionSymbol } from "./part.ts";
import { isSpecial } from "./special-tables.ts";

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
  /** What the assembler resolved in sections of several functions, by offset. */
  readonly #resolved = new Map<ObjectSection, readonly (ObjectRelocation & { readonly place: number })[]>();
  readonly #references = new Map<Part, readonly Reference[]>();

  /** @param sizes bytes of the kernel's structures, by name */
  constructor(object: ElfObject, architecture: Architecture, sizes: ReadonlyMap<string, number>) {
    this.object = object;
    this.architecture = architecture;
    const symbols = Map.groupBy(object.symbols, sectionOf);
    const pointedAt = pointedAtOffsets(object, architecture);
    for (const section of object.sections) {
      if (isIgnored(section)) continue;
      this.#bySection.set(
        section,
        // A table is taken entry by entry, whatever names the entries have.
        cut(
          section,
          isSpecial(section) ? [] : (symbols.get(section) ?? []),
          pointedAt.get(section) ?? new Set(),
          sizes,
        ),
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
      const { section, start, end } = part;
      const relocations = [...between(section.relocations, start, end), ...this.#resolvedByAssembler(part)];
      known = relocations
        .toSorted((a, b) => a.offset - b.offset)
        .map((relocation) => {
          this.#checkField(part, relocation);
          return {
            offset: relocation.offset - start,
            relocation,
            target: this.target(section, relocation),
          };
        });
      this.#references.set(part, known);
    }
    return known;
  }

  #checkField({ section, end }: Part, { offset, type }: ObjectRelocation): void {
    const size = this.architecture.fieldSizeBytes(type) ?? 0;
    if (offset + size <= end) return;
    throw new ElfFormatError(
      `cannot follow relocations of ${section.name} in ${this.object.name}: the field at 0x${offset.toString(16)} has ${size} bytes, wanted at most ${end - offset}`,
    );
  }

  /** The bytes of a part without those that relocations fill. */
  maskedBytes(part: Part): Uint8Array {
    const references = this.references(part);
    if (references.length === 0) return partBytes(part);
    const bytes = Uint8Array.from(partBytes(part));
    for (const { offset, relocation } of references) {
      bytes.fill(0, offset, offset + (this.architecture.fieldSizeBytes(relocation.type) ?? 0));
    }
    return bytes;
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

  /**
   * Functions that an attribute put into one section (`__sched`, `noinstr`) reach each other without relocations:
   * `schedule()` calls `__schedule()` of the same .sched.text. Each such field as the relocation that it would be.
   */
  #resolvedByAssembler({ section, start, end }: Part): ObjectRelocation[] {
    if (!isCode(section) || this.ofSection(section).length < 2) return [];
    let known = this.#resolved.get(section);
    if (known === undefined) {
      const relocated = new Set(section.relocations.map(({ offset }) => offset));
      const symbol = this.#sectionSymbol(section);
      known = this.architecture
        .resolvedReferences(section.data)
        .filter(({ offset }) => !relocated.has(offset))
        .map(({ offset, type, place, distance }) => ({
          offset,
          type,
          symbol,
          addend: place - distance,
          place,
        }));
      this.#resolved.set(section, known);
    }
    return between(known, start, end).filter(({ place }) => place < start || place >= end);
  }

  #sectionSymbol(section: ObjectSection): ObjectSymbol {
    const known = this.object.symbols.find(
      (symbol) => symbol.type === STT_SECTION && sectionOf(symbol) === section,
    );
    return known ?? sectionSymbol(section);
  }

  #partAt(section: ObjectSection, offset: number): Part | undefined {
    const parts = this.ofSection(section);
    if (parts.length === 1) return parts[0];
    // The last part that starts at or before: pointers to the end of a section are legal.
    const last = upperBound(parts, offset, (part) => part.start);
    return offset > section.sizeBytes ? undefined : parts[last - 1];
  }
}

/** Entries whose offsets lie in [start, end), of a table ordered by offset. */
function between<T extends { readonly offset: number }>(
  table: readonly T[],
  start: number,
  end: number,
): T[] {
  const first = upperBound(table, start - 1, ({ offset }) => offset);
  return table.slice(
    first,
    upperBound(table, end - 1, ({ offset }) => offset),
  );
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
