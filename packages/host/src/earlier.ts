/**
 * Which live patch came before another, where no package manager knows. What was loaded last may be something else
 * altogether: a patch of someone's own, tried in between. To go "back" to that would open every hole that the patch in
 * force closes, and nobody would have asked for it. So an earlier one must be of the same line: its name differs in
 * the numbers at its end only, and they are lower (kgraft_patch_3_1 before kgraft_patch_4_1), and its manifest says
 * that this very module is for the running kernel.
 *
 * Looked for among the files that were loaded since the machine was started, and among what is installed: after a
 * reboot the first are none. Nothing is taken after whose insertion the machine went down.
 */
import type { Manifest } from "@kgraft/contract";
import { findWentDown, readGuard } from "./guard.ts";
import { readHistory } from "./history.ts";
import { kernelRelease } from "./kernel-identity.ts";
import { readManifestBeside } from "./manifest-file.ts";
import { compareNames, type InstalledPatch, installedPatches } from "./store.ts";
import type { System } from "./system.ts";

/** A file that was looked at, and not taken. */
export interface PassedOver {
  readonly name: string;
  readonly path: string;
  readonly why:
    /** Its name is of another line, or newer. */
    | "unrelated"
    /** It has no manifest beside it, or one of another kernel. */
    | "unknown"
    /** The machine went down after its insertion. */
    | "went-down";
}

export interface Earlier {
  /** The newest that is older; null for none. */
  readonly patch: InstalledPatch | null;
  /** What was loaded before, or would be earlier, and may not be meant; the likeliest first. */
  readonly passedOver: readonly PassedOver[];
}

/** What a live patch can give way to. @throws BadInputError where a manifest is damaged */
export async function findEarlier(system: System, current: string): Promise<Earlier> {
  const release = kernelRelease(system);
  const guard = readGuard(system);
  const found: InstalledPatch[] = [];
  const passedOver: PassedOver[] = [];
  for (const { name, path, manifest } of await candidates(system, current, release)) {
    if (!isEarlier(name, current)) {
      passedOver.push({ name, path, why: "unrelated" });
    } else if (manifest?.name !== name || manifest.kernel.release !== release) {
      passedOver.push({ name, path, why: "unknown" });
    } else if (findWentDown(guard, manifest.module.sha256) !== null) {
      passedOver.push({ name, path, why: "went-down" });
    } else {
      found.push({ name, path, manifest });
    }
  }
  const [patch = null] = found.toSorted((a, b) => compareNames(b.name, a.name));
  return { patch, passedOver: passedOver.toSorted((a, b) => likelihood(b) - likelihood(a)) };
}

interface Candidate {
  readonly name: string;
  readonly path: string;
  readonly manifest: Manifest | null;
}

/** What was loaded before it, the latest first, and what is installed beside that. */
async function candidates(system: System, current: string, release: string): Promise<readonly Candidate[]> {
  const history = readHistory(system);
  const at = history.findIndex(({ name }) => name === current);
  const before = history.slice(0, Math.max(at, 0)).toReversed();
  const loaded: Candidate[] = [];
  for (const { name, path } of before.filter((entry) => system.exists(entry.path))) {
    // That of another patch is none of our business, be it damaged or not.
    const manifest = isEarlier(name, current) ? await readManifestBeside(system, path) : null;
    loaded.push({ name, path, manifest });
  }
  const paths = new Set(loaded.map(({ path }) => path));
  const installed = await installedPatches(system, release);
  return [...loaded, ...installed.filter(({ name, path }) => !paths.has(path) && isEarlier(name, current))];
}

/** Whether one name is that of the same line and lower: kgraft_patch_3_1 than kgraft_patch_4_1, lp_v1 than lp_v2. */
function isEarlier(name: string, current: string): boolean {
  return lineOf(name) === lineOf(current) && compareNames(name, current) < 0;
}

/** A name without the numbers at its end, which count its versions. */
function lineOf(name: string): string {
  return name.replace(/(?:_?\d+)+$/, "");
}

/** What is of the same line says more than what is not. */
function likelihood({ why }: PassedOver): number {
  return why === "unrelated" ? 0 : 1;
}
