/**
 * Whether a part of the patched object does what its original did: the same bytes, with the fields that relocations
 * fill left out, and relocations that reach the same things. What they reach is compared by identity where it has
 * one (a function, a variable), by contents where it has none (a string, an alternative instruction).
 */
import type { Correlation } from "./correlate.ts";
import { siteStaticName } from "./names.ts";
import { bytesEqual, type Part, partBytes } from "./part.ts";
import type { Parts, Reference, Target } from "./parts.ts";
import type { Special } from "./special.ts";
import { typeIds } from "./type-ids.ts";

export interface Side {
  readonly parts: Parts;
  readonly special: Special;
}

/** How far contents are followed: an alternative leads to a string, a table to a table to a string. */
const MAX_DEPTH = 500;

export class Comparison {
  readonly #original: Side;
  readonly #patched: Side;
  readonly #correlation: Correlation;
  readonly #equal = new Map<Part, Part>();
  /**
   * Pairs that the comparison under way takes as equal, so that what refers to itself ends. One that turns out
   * different makes the whole different; otherwise all of them are equal.
   */
  readonly #assumed = new Map<Part, Part>();
  #depth = 0;

  constructor(original: Side, patched: Side, correlation: Correlation) {
    this.#original = original;
    this.#patched = patched;
    this.#correlation = correlation;
  }

  /** Same bytes and same references, and the same entries in the special sections about it. */
  equal(original: Part, patched: Part): boolean {
    return this.#contentsEqual(original, patched) && this.#entriesEqual(original, patched);
  }

  /** Same bytes and same references. */
  #contentsEqual(original: Part, patched: Part): boolean {
    if (this.#equal.get(patched) === original || this.#assumed.get(patched) === original) return true;
    if (original.end - original.start !== patched.end - patched.start) return false;
    const before = this.#original.parts.references(original);
    const after = this.#patched.parts.references(patched);
    if (before.length !== after.length || this.#depth === MAX_DEPTH) return false;
    if (typeIds(original) !== typeIds(patched)) return false;
    if (!bytesEqual(this.#original.parts.maskedBytes(original), this.#patched.parts.maskedBytes(patched)))
      return false;
    this.#assumed.set(patched, original);
    this.#depth++;
    const equal = after.every((reference, index) => this.#referenceEqual(before[index]!, reference)); // equally many
    this.#depth--;
    if (this.#depth === 0) {
      if (equal) for (const [to, from] of this.#assumed) this.#equal.set(to, from);
      this.#assumed.clear();
    }
    return equal;
  }

  #entriesEqual(original: Part, patched: Part): boolean {
    const before = this.#original.special.of(original).filter(({ table }) => table.derived !== true);
    const after = this.#patched.special.of(patched).filter(({ table }) => table.derived !== true);
    return (
      before.length === after.length &&
      after.every((entry, index) => {
        const other = before[index]!; // equally many
        return other.table === entry.table && this.#contentsEqual(other.part, entry.part);
      })
    );
  }

  #referenceEqual(before: Reference, after: Reference): boolean {
    return (
      before.offset === after.offset &&
      before.relocation.type === after.relocation.type &&
      this.#targetEqual(before.target, after.target)
    );
  }

  #targetEqual(before: Target, after: Target): boolean {
    if (before.kind === "outside" && after.kind === "outside") {
      return before.symbol.name === after.symbol.name && before.offset === after.offset;
    }
    if (before.kind !== "part" || after.kind !== "part" || before.part.kind !== after.part.kind) return false;
    switch (after.part.kind) {
      case "function":
      case "data":
        return this.#correlation.originalOf(after.part) === before.part && before.offset === after.offset;
      case "constant":
        return before.offset === after.offset && this.#contentsEqual(before.part, after.part);
      case "literal":
        return this.#literalEqual(before, after);
      case "site-static":
        return (
          before.offset === after.offset &&
          before.part.section.type === after.part.section.type &&
          siteStaticName(before.part.name ?? "") === siteStaticName(after.part.name ?? "") &&
          this.#contentsEqual(before.part, after.part)
        );
      case "nameless":
        return before.offset === after.offset && this.equal(before.part, after.part);
    }
  }

  /** Constants: equal from the place pointed at to the end, as a string may be the tail of a longer one. */
  #literalEqual(before: Target & { kind: "part" }, after: Target & { kind: "part" }): boolean {
    if (before.offset === after.offset && this.#contentsEqual(before.part, after.part)) return true;
    const plain = [this.#original.parts.references(before.part), this.#patched.parts.references(after.part)];
    return (
      plain.every((references) => references.length === 0) &&
      before.offset >= 0 &&
      after.offset >= 0 &&
      bytesEqual(partBytes(before.part).subarray(before.offset), partBytes(after.part).subarray(after.offset))
    );
  }
}
