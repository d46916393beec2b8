/** The kernel that the system tests patch, and changes to it written by code. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fetchKernel, type KernelTree } from "@kgraft/kernel";
import { createTwoFilesPatch } from "diff";
import { newestRelease } from "../../kernel/test/newest-release.ts";
import { build, type LivePatch, type PatchFile } from "../src/mod.ts";

const { signal } = new AbortController();
const onProgress = (): void => undefined;

/** Three generations: gcc 12 without IBT; IBT; IBT with call padding and KLP_BUILD. */
export type Suite = "bookworm" | "trixie" | "sid";

/** A suite's kernel, prepared in the shared cache: fetched by the first test that asks. */
export async function testKernel(suite: Suite = "bookworm"): Promise<KernelTree> {
  const release = suite === "bookworm" ? "6.1.0-55-cloud-amd64" : await newestRelease(suite);
  return fetchKernel({ release, suite }, { onProgress, signal });
}

export interface Edit {
  readonly path: string;
  readonly find: string;
  readonly replace: string;
}

/** A unified diff that replaces the first occurrence of some texts in the kernel's source. */
export async function diffOf(kernel: KernelTree, name: string, edits: readonly Edit[]): Promise<PatchFile> {
  const diffs: string[] = [];
  for (const [path, ofPath] of Map.groupBy(edits, (edit) => edit.path)) {
    const original = await readFile(join(kernel.sourceDirectory, path), "utf8");
    let changed = original;
    for (const { find, replace } of ofPath) {
      if (!changed.includes(find)) throw new Error(`${path} has no ${JSON.stringify(find)}`);
      changed = changed.replace(find, () => replace);
    }
    diffs.push(createTwoFilesPatch(`a/${path}`, `b/${path}`, original, changed));
  }
  return { name: `${name}.patch`, text: diffs.join("") };
}

/** Builds a live patch of some edits into a folder. */
export async function buildEdits(
  kernel: KernelTree,
  directory: string,
  name: string,
  edits: readonly Edit[],
): Promise<LivePatch> {
  return build(
    { kernel, name, patches: [await diffOf(kernel, name, edits)], directory },
    { onProgress, signal },
  );
}
