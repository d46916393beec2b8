/**
 * Names that a unit defines for want of a better definition (`__weak`). Where the better one goes, the kernel's other code
 * would have to call the weak one, and no symbol table tells that there is any: the linker bound every reference to the
 * other. The source tells it. It is read only when a definition goes, which few changes do.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ElfObject, STB_LOCAL } from "@kgraft/elf";
import { type KernelTree, unitsOf } from "@kgraft/kernel";

/** What follows the word, up to the parameters, the value or the end: the last name in it is the one. */
const declaration = /\b__weak\b([^;{}()=[]*)[;{(=[]/g;
/** A system call that this kernel may not have (kernel/sys_ni.c). */
const systemCall = /^COND_SYSCALL(?:_COMPAT)?\((\w+)\)/gm;

/** Names that this source makes weak, or of which it says that they may be nowhere. */
export function weakNames(text: string): string[] {
  const declared = Array.from(text.matchAll(declaration), ([, words = ""]) => /(\w+)\s*$/.exec(words)?.[1]);
  const calls = Array.from(text.matchAll(systemCall), ([, name = ""]) => `__x64_sys_${name}`);
  return [...declared, ...calls].filter((name) => name !== undefined);
}

/** The units that make a name weak. */
export type WeakNames = ReadonlyMap<string, ReadonlySet<string>>;

const known = new Map<string, Promise<WeakNames>>();

/** All weak names of the C units that are linked into one object of the kernel. */
export function weakNamesOf(tree: KernelTree, object: string): Promise<WeakNames> {
  const key = `${tree.directory} ${object}`;
  const reading = known.get(key) ?? readUnits(tree, object);
  known.set(key, reading);
  reading.catch(() => known.delete(key));
  return reading;
}

async function readUnits(tree: KernelTree, object: string): Promise<WeakNames> {
  const { units } = await unitsOf(tree);
  const names = new Map<string, Set<string>>();
  for (const [unit, objects] of units) {
    if (!unit.endsWith(".c") || !objects.some(({ name }) => name === object)) continue;
    // What the kernel's own build generates may lie elsewhere.
    const text = await readFile(join(tree.sourceDirectory, unit), "latin1").catch(() => "");
    for (const name of weakNames(text)) names.set(name, (names.get(name) ?? new Set()).add(unit));
  }
  return names;
}

/**
 * Names that the unit defined for all, and leaves to others now. (A header may make a name weak in all units, and then the
 * first one counts: arch_perf_update_userpage() of arch/x86/events/core.c.)
 */
export function goneDefinitions(original: ElfObject, patched: ElfObject): string[] {
  const still = new Set(
    patched.symbols.filter(({ place }) => place.kind === "section").map(({ name }) => name),
  );
  return original.symbols
    .filter(({ binding, place }) => binding !== STB_LOCAL && place.kind === "section")
    .map(({ name }) => name)
    .filter((name) => !still.has(name));
}
