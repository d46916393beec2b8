/**
 * Bytes that no symbol names and that nothing in the unit points at: assembly may leave them in any section, between
 * variables too, and what they are for nobody but its author knows (a table that another section's bounds enclose, words
 * that a neighbour is read with). They have nothing to be known by but their section and their order.
 */
import { type ObjectSection, SHF_MERGE, STB_LOCAL } from "@kgraft/elf";
import type { Comparison } from "./compare.ts";
import { isCode, isDeclaration, isIgnored, isInit, isStorage, type Part, partBytes } from "./part.ts";
import type { Parts } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import { isSpecial } from "./special-tables.ts";

/** Sections whose unreached bytes are not what they were. */
export function changedUnreached(original: Parts, patched: Parts, comparison: Comparison): Reason[] {
  const before = unreached(original);
  const after = unreached(patched);
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name): Reason[] => {
    const [was, is] = [before.get(name) ?? [], after.get(name) ?? []];
    if (was.length === is.length && is.every((part, index) => comparison.equal(was[index]!, part))) return []; // equally many
    return [
      {
        code: "changed-data",
        subject: name,
        message: `section ${name} has bytes that changed, and that no symbol names: nothing says what they are for`,
        hint: "give them a label with a type and a size, as SYM_DATA_START() and SYM_DATA_END() do",
      },
    ];
  });
}

function unreached(parts: Parts): Map<string, Part[]> {
  const reached = new Set<Part>();
  for (const part of [...parts.all, ...tables(parts)]) {
    for (const { target } of parts.references(part)) if (target.kind === "part") reached.add(target.part);
  }
  const found = parts.object.sections.flatMap((section) =>
    hasOwnBytes(section)
      ? [
          ...gaps(section, parts.ofSection(section)),
          ...parts.ofSection(section).filter((part) => isLost(part) && !reached.has(part)),
        ].filter((part) => !isInit(part) && !isDeclaration(part) && !isPadding(part))
      : [],
  );
  return Map.groupBy(found, ({ section }) => section.name);
}

/** Of merged strings and constants only those count that are pointed at. */
function hasOwnBytes(section: ObjectSection): boolean {
  const isMerged = (section.flags & SHF_MERGE) !== 0;
  return (
    !isMerged && section.data.length > 0 && isStorage(section) && !isIgnored(section) && !isSpecial(section)
  );
}

/** Tables of code, each as a whole: their entries are no parts, and lead to alternatives. */
function tables({ object }: Parts): Part[] {
  return object.sections.filter(isSpecial).map((section) => ({
    section,
    start: 0,
    end: section.sizeBytes,
    name: undefined,
    symbols: [],
    kind: "nameless",
  }));
}

/** Whether nothing but a reference would say what it is: a name that others may use is compared by that. */
function isLost({ kind, symbols }: Part): boolean {
  return kind === "nameless" && symbols.every(({ binding }) => binding === STB_LOCAL);
}

/** What lies between the parts of a section and belongs to none. */
function gaps(section: ObjectSection, parts: readonly Part[]): Part[] {
  const ends = [0, ...parts.map(({ end }) => end)];
  const starts = [...parts.map(({ start }) => start), section.sizeBytes];
  return starts.flatMap((end, index): Part[] => {
    const start = ends[index]!; // one more than parts, as starts
    return start < end ? [{ section, start, end, name: undefined, symbols: [], kind: "nameless" }] : [];
  });
}

/** What the no-operations of the assembler are made of, and the breakpoints between functions. */
const filling: ReadonlySet<number> = new Set([0, 0x0f, 0x1f, 0x2e, 0x40, 0x44, 0x66, 0x80, 0x84, 0x90, 0xcc]);

function isPadding(part: Part): boolean {
  const { section, start, end } = part;
  if (section.relocations.some(({ offset }) => offset >= start && offset < end)) return false;
  return partBytes(part).every((byte) => byte === 0 || (isCode(section) && filling.has(byte)));
}
