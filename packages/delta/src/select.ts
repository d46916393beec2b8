/**
 * What a live patch must carry: the functions that changed or are new, then what these need and the running kernel
 * does not have. Everything else is reached where it is.
 *
 * Variables that exist stay where they are, for the running kernel uses them; strings, changed constants and macros'
 * own statics come along as copies. A call to a replaced function goes straight to its replacement, but a function's
 * *address* stays the original's: others compare it, keep it, and call it after the patch has gone.
 */
import { type ObjectSection, type ObjectSymbol, STB_LOCAL } from "@kgraft/elf";
import type { Comparison } from "./compare.ts";
import type { Correlation } from "./correlate.ts";
import { describe, isBootMemory, isCode, isInit, isStorage, isWritable, type Part } from "./part.ts";
import type { Parts, Reference } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import type { Special, SpecialEntry } from "./special.ts";
import { isSpecial } from "./special-tables.ts";
import type { SymbolRequest } from "./target.ts";

/** What a reference of a carried part becomes. */
export type Binding =
  /** Carried along. */
  | { readonly kind: "carried"; readonly part: Part }
  /** A part of this unit that stays in the running kernel, by the name it has there. */
  | { readonly kind: "original"; readonly part: Part; readonly original: Part }
  /** An entry of a special section, which comes along with the code it is about. */
  | { readonly kind: "entry"; readonly section: ObjectSection; readonly offset: number }
  /** Another unit's. */
  | { readonly kind: "outside"; readonly symbol: ObjectSymbol }
  | { readonly kind: "nowhere" };

export class Selection {
  readonly parts: Set<Part> = new Set();
  readonly entries: SpecialEntry[] = [];
  readonly reasons: Reason[] = [];
  readonly #patched: Parts;
  readonly #correlation: Correlation;
  readonly #comparison: Comparison;
  readonly #waiting: Part[] = [];

  /**
   * @param functions the changed and new functions, each with its unlikely part
   */
  constructor(
    patched: Parts,
    special: Special,
    correlation: Correlation,
    comparison: Comparison,
    functions: Iterable<Part>,
  ) {
    this.#patched = patched;
    this.#correlation = correlation;
    this.#comparison = comparison;
    for (const part of functions) this.#include(part, true);
    for (let part = this.#waiting.pop(); part !== undefined; part = this.#waiting.pop()) {
      this.#follow(part, false);
      for (const entry of special.of(part)) {
        this.entries.push(entry);
        this.#follow(entry.part, true);
      }
    }
  }

  /** What a reference from a carried part (or from a special section's entry about one) becomes. */
  bind(from: Part, reference: Reference, fromEntry: boolean): Binding {
    const { target } = reference;
    if (target.kind === "nowhere") return { kind: "nowhere" };
    if (target.kind === "outside") return { kind: "outside", symbol: target.symbol };
    const { part } = target;
    if (isSpecial(part.section))
      return { kind: "entry", section: part.section, offset: part.start + target.offset };
    const original = this.#correlation.originalOf(part);
    if (original === undefined) return { kind: "carried", part };
    if (part.kind === "constant" && !this.#isStill(original, part)) return { kind: "carried", part };
    if (part.kind === "function" && this.parts.has(part)) {
      const isAddress = !fromEntry && this.#isStart(target) && !this.#isBranch(from, reference);
      return isAddress && this.#mayBeCalled(original, part)
        ? { kind: "original", part, original }
        : { kind: "carried", part };
    }
    return { kind: "original", part, original };
  }

  /** Whether the running kernel's is as good: it was a constant before, and lies where code that needs the alignment may. */
  #isStill(original: Part, part: Part): boolean {
    return (
      original.kind === "constant" &&
      original.section.alignment >= part.section.alignment &&
      this.#comparison.equal(original, part)
    );
  }

  #include(part: Part, isChanged: boolean): void {
    if (this.parts.has(part)) return;
    const reason = cannotComeAlong(part, isChanged);
    if (reason !== undefined) this.reasons.push(reason);
    this.parts.add(part);
    this.#waiting.push(part);
  }

  #follow(from: Part, fromEntry: boolean): void {
    for (const reference of this.#patched.references(from)) {
      const binding = this.bind(from, reference, fromEntry);
      if (binding.kind === "carried") this.#include(binding.part, false);
      if (binding.kind !== "nowhere") continue;
      this.reasons.push({
        code: "unresolved-reference",
        subject: describe(from),
        message: `relocation at offset 0x${reference.offset.toString(16)} of ${describe(from)} leads to ${reference.relocation.symbol.name || "a section"} + 0x${reference.relocation.addend.toString(16)}, where nothing is`,
      });
    }
  }

  /**
   * Whether the original may be called by its address where the replacement may: the compiler leaves out the mark for
   * that (IBT) of a static function whose address nobody took. Then nobody has it to compare with, either.
   */
  #mayBeCalled(original: Part, part: Part): boolean {
    const { architecture } = this.#patched;
    return (
      architecture.hasLanding(original.section, entryOf(original)) ||
      !architecture.hasLanding(part.section, entryOf(part))
    );
  }

  #isStart(target: Reference["target"] & { kind: "part" }): boolean {
    return target.offset === entryOf(target.part) - target.part.start;
  }

  #isBranch(from: Part, { relocation }: Reference): boolean {
    return (
      isCode(from.section) &&
      this.#patched.architecture.isBranch(from.section.data, relocation.offset, relocation.type)
    );
  }
}

/** Where a function begins in its section. A call-padded one's entry is its symbol, not the padding before it. */
function entryOf({ name, start, symbols }: Part): number {
  return symbols.find((symbol) => symbol.name === name)?.value ?? start;
}

/** By what name a part of the original object is asked for in the running kernel. */
export function requestOf(original: Part): SymbolRequest {
  const main = original.symbols.find(({ name }) => name === original.name);
  return { name: original.name ?? "", local: main === undefined || main.binding === STB_LOCAL };
}

/** Why a part cannot be in a live patch, if it cannot. */
function cannotComeAlong(part: Part, isChanged: boolean): Reason | undefined {
  const { section } = part;
  const name = describe(part);
  if (section.grouped) {
    return {
      code: "grouped-section",
      subject: name,
      message: `${name} would have to come along, and its section ${section.name} is one of a group that objects share (COMDAT)`,
      hint: "give the patch a definition of its own",
    };
  }
  if (!isStorage(section)) {
    return {
      code: "unsupported-section",
      subject: section.name,
      message: `${name} would have to come along, and section ${section.name} means nothing in a live patch`,
      hint: "reach the original from the changed function, or do without it",
    };
  }
  if (isBootMemory(section)) {
    return {
      code: "unsupported-section",
      subject: name,
      message: `${name} would have to come along, and what section ${section.name} asks for the kernel does at boot only`,
      hint: "give it another section, or allocate it",
    };
  }
  // Of changed code of the boot it is said already.
  if (isInit(part) && !isChanged) {
    return {
      code: "reaches-init",
      subject: name,
      message: `${name} would have to come along, and ${section.name} is thrown away once the live patch is loaded`,
      hint: "take the mark __init off what is used later",
    };
  }
  if (part.kind === "nameless" && isWritable(part) && !section.name.includes(".Lubsan_")) {
    return {
      code: "nameless-data",
      subject: name,
      message: `${name} is a variable without a name: nothing says whether it is one that the running kernel has`,
      hint: "give it a name",
    };
  }
  return undefined;
}
