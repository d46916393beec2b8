import { isCompilable, type KernelTree, type Units } from "../src/mod.ts";

/** The units of C that cannot be compiled in the prepared tree. */
export async function uncompilable(tree: KernelTree, { units }: Units): Promise<readonly string[]> {
  const ofC = [...units.keys()].filter((unit) => unit.endsWith(".c"));
  const found = await Promise.all(ofC.map(async (unit) => ((await isCompilable(tree, unit)) ? [] : [unit])));
  return found.flat();
}
