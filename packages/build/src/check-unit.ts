/** Whether a unit that is compiled here is what the distribution shipped, function by function. */
import { readFile } from "node:fs/promises";
import { type ElfObject, SHF_EXECINSTR, STT_FUNC } from "@kgraft/elf";
import { compileUnit, type KernelTree, unitsOf } from "@kgraft/kernel";
import { BadChange, type UnitReason } from "./errors.ts";
import { checkFidelity } from "./shipped/fidelity.ts";
import { UnitTarget } from "./shipped/link-target.ts";
import { openShippedKernel } from "./shipped/shipped-kernel.ts";
import { readLoaded } from "./read-loaded.ts";

export interface UnitCheck {
  readonly unit: string;
  /** `vmlinux` or the module's name. */
  readonly object: string;
  /** How many functions were compared: all that stay in memory after the start. */
  readonly functions: number;
  /** The functions that differ, and in what. */
  readonly differing: readonly UnitReason[];
  /** The compiler's command line, to be run in `directory`. */
  readonly command: readonly string[];
  readonly directory: string;
}

/**
 * Compares a unit's functions with those of the shipped kernel, once for each object that it is linked into.
 *
 * @param objectPath an object that was compiled otherwise, to be compared in the stead of what is compiled here
 * @throws {BadChange} when the kernel has no such unit
 * @throws {CompileFailed} when it does not compile
 */
export async function checkUnit(
  tree: KernelTree,
  unit: string,
  { objectPath, signal }: { readonly objectPath?: string | undefined; readonly signal: AbortSignal },
): Promise<UnitCheck[]> {
  const objects = (await unitsOf(tree)).units.get(unit) ?? [];
  if (objects.length === 0)
    throw new BadChange(
      `${unit} is not compiled into ${tree.release}`,
      "name a unit such as fs/ext4/mballoc.c",
    );
  const compiled = await compileUnit(tree, { unit, sections: "as-shipped" }, { signal });
  const path = objectPath ?? compiled.objectPath;
  const asShipped = readLoaded(path, await readFile(path));
  const kernel = await openShippedKernel(tree);
  return objects.flatMap(({ name }) => {
    const shipped = kernel.object(name);
    if (shipped === undefined) return [];
    const target = new UnitTarget(kernel, shipped, asShipped);
    const functions = functionsOf(asShipped, target);
    const differing = functions.flatMap((one) => checkFidelity(unit, one, asShipped, shipped, target));
    const { command } = compiled;
    return [
      {
        unit,
        object: name,
        functions: functions.length,
        differing,
        command,
        directory: tree.sourceDirectory,
      },
    ];
  });
}

/** What can be compared: code of the start is gone from memory, and a weak function may have given way. */
function functionsOf({ symbols }: ElfObject, target: UnitTarget): string[] {
  return symbols.flatMap(({ name, type, binding, place }) => {
    if (type !== STT_FUNC || place.kind !== "section") return [];
    const { section } = place;
    const stays =
      (section.flags & SHF_EXECINSTR) !== 0 && !/^\.(init|exit|meminit|memexit)\b/.test(section.name);
    const found = target.find({ name, local: binding === 0 });
    return stays && !("kind" in found && found.kind === "overridden") ? [name] : [];
  });
}
