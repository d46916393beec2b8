/**
 * Special sections: tables in which the kernel looks up places of its code (which instruction may fault, which one to
 * rewrite for this processor, how to unwind from it). An entry goes with the code it is about, so a table is taken
 * entry by entry. Sizes of entries differ between kernels: they come from the kernel's own types, or from the tables
 * themselves (entry-size.ts).
 * Source: include/asm-generic/vmlinux.lds.h and arch/x86/kernel/vmlinux.lds.S of the kernel; facts of each table at its
 * type's definition.
 */
import type { ObjectSection } from "@kgraft/elf";
import { entrySizeOf, type EntryStructure } from "./entry-size.ts";
import { type Part, partBytes } from "./part.ts";
import type { Parts, Target } from "./parts.ts";
import type { Reason } from "./reasons.ts";

export interface SpecialTable {
  readonly section: string;
  /** Size of an entry: bytes, the kernel structure that says it, or what one relocation of many takes. */
  readonly entry: number | EntryStructure | typeof perRelocation;
  /** A table whose n-th entry belongs to the n-th of this one. */
  readonly companion?: string;
  /** Made from the code by objtool or the compiler: equal code has equal entries. */
  readonly derived?: true;
  /** Which static key or static call an entry is about: offset of the field that points at it. */
  readonly keyOffset?: number;
}

/** Each entry has one relocation, so the number of these says how many entries there are. */
const perRelocation: unique symbol = Symbol("one relocation each");

/** What objtool wants to know of the code; thrown away once it has run, on the unit or on the module. */
const annotations: readonly string[] = [
  "annotate_insn",
  "call_dest",
  "func_stack_frame_non_standard",
  "ignore_alts",
  "instr_begin",
  "instr_end",
  "intra_function_calls",
  "noendbr",
  "reachable",
  "retpoline_safe",
  "stack_frame_non_standard",
  "unreachable",
  "validate_unret",
];

export const specialTables: readonly SpecialTable[] = [
  { section: "__bug_table", entry: { struct: "bug_entry", codeFields: 1 } },
  { section: "__ex_table", entry: { struct: "exception_table_entry", codeFields: 2 } },
  { section: "__jump_table", entry: { struct: "jump_entry", codeFields: 2 }, keyOffset: 8 },
  { section: ".altinstructions", entry: { struct: "alt_instr", codeFields: 2 } },
  { section: ".parainstructions", entry: { struct: "paravirt_patch_site", codeFields: 1 } },
  { section: ".smp_locks", entry: 4 },
  { section: ".printk_index", entry: 8 },
  {
    section: ".static_call_sites",
    entry: { struct: "static_call_site", codeFields: 1 },
    keyOffset: 4,
    derived: true,
  },
  { section: ".retpoline_sites", entry: 4, derived: true },
  { section: ".return_sites", entry: 4, derived: true },
  { section: ".call_sites", entry: 4, derived: true },
  { section: ".ibt_endbr_seal", entry: 4, derived: true },
  { section: ".cfi_sites", entry: 4, derived: true },
  { section: ".kcfi_traps", entry: 4, derived: true },
  { section: "__mcount_loc", entry: 8, derived: true },
  { section: "__patchable_function_entries", entry: 8, derived: true },
  { section: ".orc_unwind_ip", entry: 4, derived: true, companion: ".orc_unwind" },
  ...annotations.map((name): SpecialTable => ({
    section: `.discard.${name}`,
    entry: perRelocation,
    derived: true,
  })),
];

/** The kernel structures whose sizes `Special` wants to know. */
export const entryTypes: readonly string[] = specialTables.flatMap(({ entry }) =>
  typeof entry === "object" ? [entry.struct] : [],
);

export interface SpecialEntry {
  readonly table: SpecialTable;
  /** The entry's bytes, as a part of its section. */
  readonly part: Part;
  readonly companion: Part | undefined;
  /** The code or constant it is about. */
  readonly owner: Part | undefined;
}

const companions: ReadonlySet<string> = new Set(specialTables.map(({ companion }) => companion ?? ""));

export function isSpecial(section: ObjectSection): boolean {
  return companions.has(section.name) || specialTables.some((table) => table.section === section.name);
}

/** The special sections of one object, by what their entries are about. */
export class Special {
  readonly reasons: Reason[] = [];
  readonly #byOwner = new Map<Part, SpecialEntry[]>();

  constructor(parts: Parts, entrySizes: ReadonlyMap<string, number>) {
    for (const table of specialTables) {
      // -ffunction-sections may give each function its own table (__patchable_function_entries), of the same name.
      for (const section of parts.object.sections.filter(({ name }) => name === table.section)) {
        const companion = parts.object.sections.find(({ name }) => name === table.companion);
        this.#read(parts, table, section, companion, entrySizes);
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
    entrySizes: ReadonlyMap<string, number>,
  ): void {
    if (section.sizeBytes === 0) return;
    const size = sizeOf(section, table.entry, entrySizes);
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
      const first = parts.references(part)[0]?.target;
      const entry: SpecialEntry = {
        table,
        part,
        companion: companion && piece(companion, index * companionSize, (index + 1) * companionSize),
        owner: partOf(first),
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
  if (typeof entry === "number") return entry;
  if (typeof entry === "object") return entrySizeOf(section, entry, sizes);
  return section.sizeBytes / section.relocations.length;
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
