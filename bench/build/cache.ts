/** A scratch cache: links to a prepared kernel, and objects of its own, none at first. */
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import type { KernelTree } from "@kgraft/kernel";

/** @returns where it is, for KGRAFT_CACHE */
export function emptyCache({ release, directory }: KernelTree, cache: string): string {
  const copy = join(cache, "kernels", release);
  mkdirSync(copy, { recursive: true });
  for (const entry of readdirSync(directory)) {
    if (entry !== "objects" && entry !== "glue") symlinkSync(join(directory, entry), join(copy, entry));
  }
  // A kernel without its compiler counts as not prepared.
  symlinkSync(resolve(directory, "../../toolchains"), join(cache, "toolchains"));
  return cache;
}
