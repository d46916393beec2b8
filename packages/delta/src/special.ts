/**
 * Special sections: tables in which the kernel looks up places of its code (which instruction may fault, which one to
 * rewrite for this processor, how to unwind from it). An entry goes with the code it is about, so a table is taken
 * entry by entry. Sizes of entries differ between kernels: they come from the kernel's own types, or from the tables
 * themselves (entry-size.ts).
 */
import type { ObjectSection } from "@kgraft/elf";
import { entrySizeOf } from "./entry-size.ts";
import { type Part, partBytes } from "./part.ts";
import type { Parts, Target } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import { type SpecialTable, specialTables } from "./special-tables.ts";

export interface SpecialEntry {
  readonly table: SpecialTable;
  /** The entry's bytes, as a part of its section. */
  readonly part: Part;
  readonly companion: Part | undefined;
  /** The code or constant it is about. */
  readonly owner: Part | undefined;
}

/** The special sections of one object, by what their entries are about. */
export class Special {
  readonly reasons: Reason[] = [];
  readonly #byOwner = new Map<Part, SpecialEntry[]>();

  constructor(parts: Parts, typeSizes: ReadonlyMap<string, number>) {
    const sections = Map.groupBy(parts.object.sections, ({ name }) => name);
    for (const table of specialTables) {
      const [companion] = sections.get(table.companion ?? "") ?? [];
      // -ffunction-sections may give each function its own table (__patchable_function_entries), of the same name.
      for (const section of sections.get(table.section) ?? []) {
        this.#read(parts, table, section, companion, typeSizes);
      }
    }
  }

  of(owner: Part): readonly SpecialEntry[] {
    return this.#byOwner.get(owner) ?? [];
  }

  #read(
    parts: Parts,
    table: SpecialTable,
    section: ObjectSection,
    companion: ObjectSection | undefined,
    typeSizes: ReadonlyMap<string, number>,
  ): void {
    if (section.sizeBytes === 0) return;
    const size = sizeOf(section, table.entry, typeSizes);
    const companionSize = (companion?.sizeBytes ?? 0) / (section.sizeBytes / Number(size));
    if (typeof size === "string" || !Number.isInteger(size) || !Number.isInteger(companionSize)) {
      const why = typeof size === "string" ? size : `it does not divide ${section.sizeBytes} bytes`;
      this.reasons.push({
        code: "unsupported-section",
        subject: section.name,
        message: `size of an entry of ${section.name} is unknown: ${why}`,
        hint: "name the kernel's own image for the symbols: its types say the size",
      });
      return;
    }
    for (let start = 0, index = 0; start < section.sizeBytes; start += size, index++) {
      // The assembler aligns an entry before it, not after: the last one may lack its padding.
      const part = piece(section, start, Math.min(start + size, section.sizeBytes));
      if (table.section === ".altinstructions") correctEmptyReplacement(parts, part);
      const first = partOf(parts.references(part)[0]?.target);
      const entry: SpecialEntry = {
        table,
        part,
        companion: companion && piece(companion, index * companionSize, (index + 1) * companionSize),
        owner: table.describes === true && first !== undefined ? describedFunction(parts, first) : first,
      };
      if (entry.owner === undefined) continue;
      const known = this.#byOwner.get(entry.owner);
      if (known === undefined) this.#byOwner.set(entry.owner, [entry]);
      else known.push(entry);
    }
  }
}

/** Bytes of an entry, or why they are unknown. */
function sizeOf(
  section: ObjectSection,
  entry: SpecialTable["entry"],
  sizes: ReadonlyMap<string, number>,
): number | string {
  if (typeof entry === "symbol") return section.sizeBytes / section.relocations.length;
  return entrySizeOf(section, entry, sizes);
}

/**
 * The function that a printk index entry is about. `struct pi_entry` begins with pointers to the format and to the
 * function's name; nothing else ties it to the code.
 */
function describedFunction(parts: Parts, description: Part): Part | undefined {
  const target = parts.references(description).find(({ offset }) => offset === 8)?.target;
  if (target?.kind !== "part") return undefined;
  const bytes = partBytes(target.part).subarray(Math.max(target.offset, 0));
  const name = new TextDecoder().decode(bytes.subarray(0, Math.max(bytes.indexOf(0), 0)));
  return parts.all.find((part) => part.kind === "function" && part.name === name);
}

/**
 * An alternative that replaces an instruction by nothing points at where its replacement would be: at another's, which
 * may belong to another function. It is made to point at its own instruction instead; nobody reads what is there.
 * struct alt_instr ends in the lengths of instruction and replacement.
 */
function correctEmptyReplacement(parts: Parts, entry: Part): void {
  const [instruction, replacement] = parts.references(entry);
  if (instruction === undefined || replacement === undefined || partBytes(entry).at(-1) !== 0) return;
  const { symbol, addend } = instruction.relocation;
  const relocation = { ...replacement.relocation, symbol, addend };
  parts.correctReferences(entry, [instruction, { ...replacement, relocation, target: instruction.target }]);
}

function piece(section: ObjectSection, start: number, end: number): Part {
  return { section, start, end, name: undefined, symbols: [], kind: "nameless" };
}

function partOf(target: Target | undefined): Part | undefined {
  return target?.kind === "part" ? target.part : undefined;
}
