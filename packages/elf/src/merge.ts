/**
 * Joins relocatable objects into one, as `ld -r` does: sections of one name, type and flags are laid end to end,
 * symbols and relocations move with them. Kept to what a kernel module needs: no string merging, no discarding,
 * no resolution of undefined symbols beyond the objects given.
 * Source: System V ABI, chapter 4, "Relocatable Fields"; ld(1), option -r.
 */
import {
  EM_X86_64,
  SHF_EXECINSTR,
  SHT_NOBITS,
  STB_GLOBAL,
  STB_LOCAL,
  STB_WEAK,
  STT_SECTION,
} from "./constants.ts";
import { ElfFormatError } from "./errors.ts";
import type { ElfObject, ObjectRelocation, ObjectSection, ObjectSymbol } from "./object.ts";

/** An instruction of one byte that does nothing, to stand between functions. */
const noOperation: Readonly<Record<number, number>> = { [EM_X86_64]: 0x90 };

interface Placed {
  readonly into: ObjectSection;
  readonly atBytes: number;
}

/**
 * One object with everything of `objects`, in that order. The given objects are left as they are; their symbols are
 * copied, and a global symbol that one defines and another leaves undefined becomes one symbol.
 *
 * @param moved is told of each symbol given and the one that now stands for it
 * @throws {ElfFormatError} when two objects define the same global symbol
 */
export function mergeObjects(
  name: string,
  objects: readonly ElfObject[],
  moved?: (from: ObjectSymbol, to: ObjectSymbol) => void,
): ElfObject {
  const [first] = objects;
  if (first === undefined)
    throw new ElfFormatError(`cannot join objects into ${name}: there is none, wanted one`);
  const merged: ElfObject = { name, machine: first.machine, flags: first.flags, sections: [], symbols: [] };

  // 1. Sections end to end.
  const placed = new Map<ObjectSection, Placed>();
  const byKind = new Map<string, ObjectSection>();
  for (const section of objects.flatMap((object) => object.sections)) {
    placed.set(section, place(merged, byKind, section));
  }
  for (const [section, { into }] of placed) {
    if (section.linkedTo !== undefined) into.linkedTo ??= placed.get(section.linkedTo)?.into;
  }

  // 2. Symbols: one per section, one per global name, the others each for itself.
  const symbols = new SymbolMerger(merged, placed);
  for (const symbol of objects.flatMap((object) => object.symbols)) {
    const now = symbols.add(symbol);
    moved?.(symbol, now);
  }

  // 3. Relocations follow.
  for (const [section, { into, atBytes }] of placed) {
    const move = (relocation: ObjectRelocation): ObjectRelocation => ({
      offset: relocation.offset + atBytes,
      type: relocation.type,
      symbol: symbols.of(relocation.symbol),
      addend: relocation.addend + symbols.addendShift(relocation.symbol),
    });
    for (const relocation of section.relocations) into.relocations.push(move(relocation));
    for (const table of section.livepatchRelocations) {
      into.livepatchRelocations.push({ ...table, relocations: table.relocations.map(move) });
    }
  }
  return merged;
}

function place(merged: ElfObject, byKind: Map<string, ObjectSection>, section: ObjectSection): Placed {
  const kind = `${section.name} ${section.type} ${section.flags} ${section.entrySizeBytes}`;
  const known = byKind.get(kind);
  if (known === undefined) {
    const into = { ...section, relocations: [], livepatchRelocations: [], linkedTo: undefined };
    merged.sections.push(into);
    byKind.set(kind, into);
    return { into, atBytes: 0 };
  }
  const alignment = Math.max(section.alignment, 1);
  const atBytes = Math.ceil(known.sizeBytes / alignment) * alignment;
  known.sizeBytes = atBytes + section.sizeBytes;
  if (known.type !== SHT_NOBITS) {
    const data = new Uint8Array(known.sizeBytes);
    data.set(known.data);
    // Whoever decodes the section from its start (objtool) must come upon the next function's first byte.
    if ((known.flags & SHF_EXECINSTR) !== 0)
      data.fill(noOperation[merged.machine] ?? 0, known.data.length, atBytes);
    data.set(section.data, atBytes);
    known.data = data;
  }
  (known as { alignment: number }).alignment = Math.max(known.alignment, section.alignment);
  return { into: known, atBytes };
}

class SymbolMerger {
  readonly #merged: ElfObject;
  readonly #placed: ReadonlyMap<ObjectSection, Placed>;
  readonly #now = new Map<ObjectSymbol, ObjectSymbol>();
  readonly #sectionSymbols = new Map<ObjectSection, ObjectSymbol>();
  readonly #globals = new Map<string, ObjectSymbol>();

  constructor(merged: ElfObject, placed: ReadonlyMap<ObjectSection, Placed>) {
    this.#merged = merged;
    this.#placed = placed;
  }

  add(symbol: ObjectSymbol): ObjectSymbol {
    const moved = this.#moved(symbol);
    const known = this.#known(moved, symbol.type);
    const now = known ?? moved;
    if (known === undefined) this.#merged.symbols.push(moved);
    else if (moved.place.kind !== "undefined" && symbol.type !== STT_SECTION) this.#define(known, moved);
    this.#now.set(symbol, now);
    if (known !== undefined) return known;
    if (symbol.type === STT_SECTION && moved.place.kind === "section")
      this.#sectionSymbols.set(moved.place.section, moved);
    else if (symbol.binding !== STB_LOCAL) this.#globals.set(symbol.name, moved);
    return now;
  }

  of(symbol: ObjectSymbol): ObjectSymbol {
    return this.#now.get(symbol) ?? this.add(symbol);
  }

  /** How far a section's start moved: relocations against section symbols count from there. */
  addendShift(symbol: ObjectSymbol): number {
    if (symbol.type !== STT_SECTION || symbol.place.kind !== "section") return 0;
    return this.#placed.get(symbol.place.section)?.atBytes ?? 0;
  }

  #known(moved: ObjectSymbol, type: number): ObjectSymbol | undefined {
    if (type === STT_SECTION && moved.place.kind === "section")
      return this.#sectionSymbols.get(moved.place.section);
    return moved.binding === STB_LOCAL ? undefined : this.#globals.get(moved.name);
  }

  #moved(symbol: ObjectSymbol): ObjectSymbol {
    if (symbol.place.kind !== "section") return { ...symbol };
    const placed = this.#placed.get(symbol.place.section);
    if (placed === undefined)
      throw new ElfFormatError(
        `cannot join symbol ${symbol.name}: its section ${symbol.place.section.name} is in no object, wanted in one`,
      );
    const value = symbol.type === STT_SECTION ? 0 : symbol.value + placed.atBytes;
    return { ...symbol, value, place: { kind: "section", section: placed.into } };
  }

  #define(known: ObjectSymbol, definition: ObjectSymbol): void {
    if (known.place.kind !== "undefined") {
      if (definition.binding === STB_WEAK) return;
      if (known.binding === STB_GLOBAL)
        throw new ElfFormatError(
          `cannot join objects into ${this.#merged.name}: symbol ${known.name} is defined twice, wanted once`,
        );
    }
    Object.assign(known, definition);
  }
}
