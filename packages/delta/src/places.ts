/**
 * Places in a section that several variables share, as an attribute puts them there (`__read_mostly`,
 * `__ro_after_init`, per-cpu data). The assembler names such a place by section and offset, and an address may mean the
 * variable that lies there or another: `p != arr + 8` is said by where the next variable begins, `arr[i - 1]` by an
 * address before `arr`. It matters not which is meant as long as the two lie in the running kernel as they do here.
 * Where a variable came between them or went, it does matter, and nothing says it: a loop would run on to a new
 * variable that lies in the live patch.
 */
import { STT_SECTION } from "@kgraft/elf";
import type { Correlation } from "./correlate.ts";
import { describe, isCode, type Part } from "./part.ts";
import type { Parts, Reference } from "./parts.ts";
import type { Reason } from "./reasons.ts";

/** An array is larger than what a register holds; what is smaller is reached where it lies. */
const MAX_SCALAR_BYTES = 8;

/** Addresses that the selected parts take of which nothing says what they mean. */
export function ambiguousPlaces(selected: Iterable<Part>, after: Parts, correlation: Correlation): Reason[] {
  return [...selected].flatMap((from) =>
    after.references(from).flatMap((reference): Reason[] => {
      const { target, relocation } = reference;
      if (target.kind !== "part" || relocation.symbol.type !== STT_SECTION) return [];
      if (isCode(target.part.section) || !takesAddress(from, reference, after)) return [];
      const other = otherMeaning(target.part, target.offset, after, correlation);
      if (other === undefined) return [];
      const [variable, neighbour, { name: section }] = [
        describe(target.part),
        describe(other),
        target.part.section,
      ];
      return [
        {
          code: "ambiguous-place",
          subject: describe(from),
          message: `${describe(from)} takes an address in section ${section} that may be of ${variable} or, as its end or from afar, of ${neighbour}, and in the running kernel the two do not lie as they do now`,
          hint: `give a new variable a section of its own, without the attribute that puts it into ${section}`,
        },
      ];
    }),
  );
}

/** In data each is an address. */
function takesAddress(from: Part, { relocation }: Reference, { architecture }: Parts): boolean {
  return (
    !isCode(from.section) || architecture.takesAddress(from.section.data, relocation.offset, relocation.type)
  );
}

/** Whose address it may be as well, if that one lies elsewhere in the running kernel. */
function otherMeaning(part: Part, offset: number, after: Parts, correlation: Correlation): Part | undefined {
  const all = after.ofSection(part.section);
  const place = all.indexOf(part);
  const original = correlation.originalOf(part);
  const liesElsewhere = (other: Part): boolean => {
    const was = correlation.originalOf(other);
    return (
      was === undefined ||
      original === undefined ||
      was.section !== original.section ||
      was.start - original.start !== other.start - part.start
    );
  };
  const before = all[place - 1];
  if (before !== undefined && offset === 0 && before.end === part.start && isVariable(before)) {
    if (liesElsewhere(before)) return before;
  }
  return all
    .slice(place + 1)
    .find((other) => isVariable(other) && other.end - other.start > MAX_SCALAR_BYTES && liesElsewhere(other));
}

/** Of a macro's own static nothing but its own address is taken. */
function isVariable({ kind }: Part): boolean {
  return kind === "data" || kind === "constant";
}
