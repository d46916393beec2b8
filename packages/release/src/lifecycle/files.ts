/** Lifecycle data as a repository carries it, and as the package lifecycle-data-kgraft brings it to machines. */
import type { Lifecycle } from "@kgraft/contract";
import { lifecycleJson } from "./document.ts";
import { lifecycleText } from "./lines.ts";

/** Where a package puts `kgraft.lifecycle`: the last of the folders that zypper's plugin and kgr look into. */
export const lifecycleDirectory = "/usr/share/lifecycle/data";

/** Texts by the names of their files. */
export type LifecycleFiles = Readonly<Record<"kgraft.lifecycle" | "lifecycle.json", string>>;

/** The files that say what is promised. */
export function lifecycleFiles(data: Lifecycle): LifecycleFiles {
  return { "kgraft.lifecycle": lifecycleText(data), "lifecycle.json": lifecycleJson(data) };
}
