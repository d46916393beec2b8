/**
 * What the kernel's livepatch core wants to find in the module: symbols that it resolves itself, because they are
 * not exported, and tables of the relocations that use them.
 *
 * - Symbol `.klp.sym.<object>.<name>,<sympos>`, section index SHN_LIVEPATCH. sympos 0 says the name is unique in
 *   the object, n means the n-th of that name.
 * - Section `.klp.rela.<patched object>.<section>`, flag SHF_RELA_LIVEPATCH: applied when that object is there. What
 *   lies in vmlinux is always there; what lies in a module is named from the tables of the patched module only.
 *
 * Source: Documentation/livepatch/module-elf-format.rst of the kernel; klp_resolve_symbols() in
 * kernel/livepatch/core.c.
 */
import type { ElfObject, ObjectRelocation, ObjectSymbol } from "@kgraft/elf";

/** A symbol that only the livepatch core can resolve. */
export interface LivepatchReference {
  /** Where it is defined: `vmlinux` or a module. */
  readonly object: string;
  readonly name: string;
  readonly sympos: number;
  /** The object whose function uses it. */
  readonly patchedObject: string;
}

/** The longest object name and symbol name that the kernel's parser takes (MODULE_NAME_LEN, KSYM_NAME_LEN). */
const MAX_OBJECT_NAME = 55;
const MAX_SYMBOL_NAME = 511;

/** The name by which the livepatch core resolves it. */
export function livepatchName({ object, name, sympos }: LivepatchReference): string {
  return `.klp.sym.${object}.${name},${sympos}`;
}

/** Whether the kernel's parser can read the symbol's name back. */
export function isNameable(reference: LivepatchReference): boolean {
  return (
    reference.object.length <= MAX_OBJECT_NAME &&
    !reference.object.includes(".") &&
    reference.name.length <= MAX_SYMBOL_NAME &&
    !reference.name.includes(",")
  );
}

/**
 * Turns plain undefined symbols into livepatch symbols, in place: renames them and moves their relocations into
 * tables of the livepatch core.
 */
export function applyLivepatchReferences(
  object: ElfObject,
  references: ReadonlyMap<ObjectSymbol, LivepatchReference>,
): void {
  for (const section of object.sections) {
    const tables = Map.groupBy(section.relocations, ({ symbol }) => {
      const reference = references.get(symbol);
      if (reference === undefined) return undefined;
      return reference.object === "vmlinux" ? "vmlinux" : reference.patchedObject;
    });
    section.relocations = tables.get(undefined) ?? [];
    for (const [patchedObject, relocations] of tables) {
      if (patchedObject !== undefined) section.livepatchRelocations.push({ patchedObject, relocations });
    }
  }
  shareSymbols(object, references);
}

/** One symbol for each name, though several units asked for it. */
function shareSymbols(object: ElfObject, references: ReadonlyMap<ObjectSymbol, LivepatchReference>): void {
  const byName = new Map<string, ObjectSymbol>();
  const shared = new Map<ObjectSymbol, ObjectSymbol>();
  for (const [symbol, reference] of references) {
    const fullName = livepatchName(reference);
    const known = byName.get(fullName) ?? symbol;
    known.name = fullName;
    known.place = { kind: "livepatch" };
    byName.set(fullName, known);
    shared.set(symbol, known);
  }
  object.symbols = object.symbols.filter((symbol) => (shared.get(symbol) ?? symbol) === symbol);
  const share = (relocation: ObjectRelocation): ObjectRelocation => ({
    ...relocation,
    symbol: shared.get(relocation.symbol) ?? relocation.symbol,
  });
  for (const table of object.sections.flatMap((section) => section.livepatchRelocations)) {
    table.relocations = table.relocations.map(share);
  }
}
