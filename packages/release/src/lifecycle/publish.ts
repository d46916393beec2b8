/** Lifecycle data as a repository carries it, and as the package lifecycle-data-kgraft brings it to machines. */
import type { Lifecycle, LifecyclePolicy } from "@kgraft/contract";
import { lifecycleJson, parseLifecycleJson } from "./document.ts";
import { lifecycleText } from "./lines.ts";
import { promise, type PublishedPatch } from "./promise.ts";

/** Where a package puts `kgraft.lifecycle`: the last of the folders that zypper's plugin and kgr look into. */
export const lifecycleDirectory = "/usr/share/lifecycle/data";

/** Texts by the names of their files. */
export type LifecycleFiles = Readonly<Record<"kgraft.lifecycle" | "lifecycle.json", string>>;

/** The files that say what is promised. */
export function lifecycleFiles(data: Lifecycle): LifecycleFiles {
  return { "kgraft.lifecycle": lifecycleText(data), "lifecycle.json": lifecycleJson(data) };
}

/**
 * What a repository says from now on.
 *
 * @param before the `lifecycle.json` that it has; null for a new repository
 * @param published the live patches that it now gets, and the day
 * @throws BadLifecycleData, BadPackageInput
 */
export function publishLifecycle(
  before: string | null,
  published: readonly PublishedPatch[],
  policy: LifecyclePolicy,
): { readonly data: Lifecycle; readonly files: LifecycleFiles } {
  const known = before === null ? null : parseLifecycleJson(before, "lifecycle.json");
  const data = promise(known, published, policy);
  return { data, files: lifecycleFiles(data) };
}
