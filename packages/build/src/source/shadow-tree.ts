/**
 * A shadow of the prepared tree in which some files are other ones. The prepared tree is shared and never written to;
 * so a folder of links stands in for it: real folders along the path of each changed file, links for everything else.
 * The compiler finds headers by the path it opened, so `#include "ext4.h"` leads to the changed one from wherever it
 * is included.
 */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface ShadowTree extends AsyncDisposable {
  readonly directory: string;
}

/** Makes the shadow in a temporary folder; disposing of it removes the folder. */
export async function makeShadowTree(tree: string, texts: ReadonlyMap<string, string>): Promise<ShadowTree> {
  const directory = await mkdtemp(join(tmpdir(), "kgraft-shadow-"));
  const shadow: ShadowTree = {
    directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
  try {
    const folders = new Set<string>(["."]);
    for (const path of texts.keys()) {
      for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) folders.add(folder);
    }
    // Parents first: a folder that is real must not have been linked already.
    for (const folder of [...folders].toSorted((a, b) => a.length - b.length)) {
      await linkFolder(tree, directory, folder, folders, texts);
    }
    for (const [path, text] of texts) await writeFile(join(directory, path), text);
    return shadow;
  } catch (error) {
    await shadow[Symbol.asyncDispose]();
    throw error;
  }
}

async function linkFolder(
  tree: string,
  directory: string,
  folder: string,
  real: ReadonlySet<string>,
  texts: ReadonlyMap<string, string>,
): Promise<void> {
  await mkdir(join(directory, folder), { recursive: true });
  const names = await readdir(join(tree, folder)).catch((): string[] => []);
  for (const name of names) {
    const path = join(folder, name);
    if (!real.has(path) && !texts.has(path)) await symlink(join(tree, path), join(directory, path));
  }
}
