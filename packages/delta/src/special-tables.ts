/**
 * Which sections are tables that the kernel looks up places of its code in, and what an entry of each is.
 * Source: include/asm-generic/vmlinux.lds.h and arch/x86/kernel/vmlinux.lds.S of the kernel; facts of each table at its
 * type's definition.
 */
import type { ObjectSection } from "@kgraft/elf";
import type { EntryStructure } from "./entry-size.ts";

export interface SpecialTable {
  readonly section: string;
  /** Size of an entry: bytes, the kernel structure that says it, or what one relocation of many takes. */
  readonly entry: number | EntryStructure | typeof perRelocation;
  /** A table whose n-th entry belongs to the n-th of this one. */
  readonly companion?: string;
  /** Made from the code by objtool or the compiler: equal code has equal entries. */
  readonly derived?: true;
  /** Entries say what they are about not by a place in code, but by a description that names the function. */
  readonly describes?: true;
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
  { section: ".printk_index", entry: 8, derived: true, describes: true },
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

const names: ReadonlySet<string> = new Set(
  specialTables.flatMap(({ section, companion }) =>
    companion === undefined ? [section] : [section, companion],
  ),
);

export function isSpecial(section: ObjectSection): boolean {
  return names.has(section.name);
}
