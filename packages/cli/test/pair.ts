/** Units of the prepared kernel, compiled before and after a change as `kgraft build` does it. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { compileUnit, type KernelTree, openKernel } from "@kgraft/kernel";
import { shadowTree } from "../../kernel/test/shadow-tree.ts";
import { release } from "./kgraft.ts";

export interface UnitPair {
  readonly tree: KernelTree;
  readonly before: string;
  readonly after: string;
}

/** Paths of the two objects; the shadow of the source tree lies in `directory`. */
export async function compilePair(
  directory: string,
  unit: string,
  change: (text: string) => string,
): Promise<UnitPair> {
  const tree = await openKernel(release);
  const root = join(directory, `source-${unit.replaceAll("/", "-")}`);
  await mkdir(root);
  const shadow = await shadowTree(tree.sourceDirectory, root);
  await shadow.replace(unit, change);
  const { signal } = new AbortController();
  const before = await compileUnit(tree, { unit, sections: "split" }, { signal });
  const after = await compileUnit(tree, { unit, sections: "split", root }, { signal });
  return { tree, before: before.objectPath, after: after.objectPath };
}
