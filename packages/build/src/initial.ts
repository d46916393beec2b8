/**
 * The initial live patch of a kernel release: a live patch that replaces nothing. Package managers offer a new
 * version only of what is installed, so a machine gets one as soon as it gets the kernel; the first real patch is then
 * an update like any other. It is a module all the same: to go back to it is an atomic replace by nothing, and whoever
 * lists the live patches sees that the machine is provided for. The livepatch core refuses an object without functions
 * (klp_enable_patch), and takes a patch without objects.
 */
import { join } from "node:path";
import { type KernelTree, writeTogether } from "@kgraft/kernel";
import { manifestOf } from "./manifest.ts";
import type { LivePatch } from "./build.ts";
import { glueObject } from "./module/glue.ts";
import { linkModule } from "./module/link.ts";
import { checkSigningKey, type SigningKey, signModule } from "./module/sign.ts";
import { openShippedKernel } from "./shipped/shipped-kernel.ts";

export interface InitialRequest {
  readonly kernel: KernelTree;
  /** The live patch's name; `kgraft_initial` where not given. */
  readonly name?: string;
  readonly signingKey?: SigningKey;
  /** Where NAME.ko and NAME.json go. */
  readonly directory: string;
}

/**
 * Builds the initial live patch. The two files appear whole or not at all.
 *
 * @throws {SigningFailed} when key and certificate are not such as to sign with
 */
export async function buildInitial(
  { kernel: tree, name = "kgraft_initial", signingKey, directory }: InitialRequest,
  signal: AbortSignal,
): Promise<Pick<LivePatch, "modulePath" | "manifestPath" | "manifest">> {
  if (signingKey !== undefined) await checkSigningKey(tree, signingKey);
  const glue = await glueObject(tree, signal);
  const unsigned = await linkModule(await openShippedKernel(tree), { name, glue, deltas: [] }, signal);
  const bytes = signingKey === undefined ? unsigned : await signModule(tree, unsigned, signingKey, signal);
  const manifest = await manifestOf({ kernel: tree, patches: [] }, name, [], bytes);
  const modulePath = join(directory, `${name}.ko`);
  const manifestPath = join(directory, `${name}.json`);
  await writeTogether([
    [manifestPath, `${JSON.stringify(manifest, null, 2)}\n`],
    [modulePath, bytes],
  ]);
  return { modulePath, manifestPath, manifest };
}
