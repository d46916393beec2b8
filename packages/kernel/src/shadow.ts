import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "./cache.ts";

/** Path in the tree -> its SHA-256, computed when asked for. In the order of the paths. */
export type RealFiles = ReadonlyMap<string, () => Promise<string>>;

/**
 * The real files of a shadow tree: those that are no links. Links are not followed, so only the directories
 * that the shadow made its own are read.
 */
export async function realFiles(root: string, signal: AbortSignal): Promise<RealFiles> {
  const paths: string[] = [];
  const pending = [""];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    signal.throwIfAborted();
    for (const entry of await readdir(join(root, at), { withFileTypes: true })) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile()) paths.push(path);
    }
  }
  return new Map(
    paths.toSorted().map((path) => [path, async () => sha256(await readFile(join(root, path)))]),
  );
}
