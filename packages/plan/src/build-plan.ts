/** One cumulative live patch of everything that a plan carries. */
import { join } from "node:path";
import { glueObject, linkModule, manifestOf, type OpenedChange } from "@kgraft/build";
import type { Manifest } from "@kgraft/contract";
import { writeTogether } from "@kgraft/kernel";
import type { Plan } from "./plan.ts";
import { repairedBy } from "./repaired.ts";

export interface BuiltPlan {
  readonly modulePath: string;
  readonly manifestPath: string;
  readonly manifest: Manifest;
}

/** `kgraft_6_1_192_1` for version 6.1.192-1. */
export function planName(version: string): string {
  return `kgraft_${version}`.replaceAll(/[^A-Za-z0-9_]+/g, "_").slice(0, 55);
}

/**
 * Links the live patch and writes it with its manifest, both or none.
 *
 * @returns undefined where nothing is carried
 */
export async function buildPlan(
  plan: Plan,
  { kernel }: OpenedChange,
  directory: string,
  signal: AbortSignal,
): Promise<BuiltPlan | undefined> {
  const { deltas, update, fixes } = plan;
  if (deltas.length === 0) return undefined;
  const name = planName(update.to);
  const glue = await glueObject(kernel.tree, signal);
  const bytes = await linkModule(kernel, { name, glue, deltas }, signal);
  const manifest = await manifestOf(
    { kernel: kernel.tree, patches: [update.patch], fixes: repairedBy(fixes) },
    name,
    deltas,
    bytes,
  );
  const modulePath = join(directory, `${name}.ko`);
  const manifestPath = join(directory, `${name}.json`);
  await writeTogether([
    [manifestPath, `${JSON.stringify(manifest, null, 2)}\n`],
    [modulePath, bytes],
  ]);
  return { modulePath, manifestPath, manifest };
}
