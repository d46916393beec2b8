/**
 * Units of C that cannot be compiled here: their source is written by kbuild out of the kernel itself (the images of the
 * vDSO), or its command for them is not known.
 */
import { isCompilable, type KernelTree } from "@kgraft/kernel";
import type { AssemblyChange } from "./assembly.ts";

/** Those of a change's units that cannot be compiled here. */
export async function strangeUnits(tree: KernelTree, units: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await Promise.all(
    units.map(async (unit) => ((await isCompilable(tree, unit)) ? [] : [unit])),
  );
  return new Set(found.flat());
}

/**
 * What a change does to such units: where it is in their own source it cannot be carried; of a header that they read
 * nobody can say what comes of it.
 */
export function changedStrangers(
  strange: Iterable<string>,
  isChanged: (path: string) => boolean,
): AssemblyChange {
  const [own = [], readers = []] = [true, false].map((is) =>
    [...strange].filter((unit) => isChanged(unit) === is),
  );
  return {
    reasons: own.map((unit) => ({
      code: "strange-unit",
      unit,
      subject: unit,
      message: `${unit} is part of the kernel, but how it was compiled is not known here`,
      hint: "leave it out, if the rest of the change stands without it",
    })),
    warnings: readers.map((unit) => ({
      code: "strange-unit",
      unit,
      subject: unit,
      message: `${unit} reads a changed header, and what kbuild makes of it cannot be told: see that it does not matter`,
    })),
  };
}
