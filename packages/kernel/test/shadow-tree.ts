import { mkdir, readdir, readFile, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface ShadowTree {
  readonly root: string;
  /** Makes a file of the shadow a real one, changed. */
  readonly replace: (path: string, change: (text: string) => string) => Promise<void>;
}

/** A tree of links to another; directories on the way to a replaced file become real ones. */
export async function shadowTree(tree: string, root: string): Promise<ShadowTree> {
  await linkAll(tree, root);
  const replace = async (path: string, change: (text: string) => string): Promise<void> => {
    const parts = dirname(path).split("/");
    for (let depth = 1; depth <= parts.length; depth++) {
      const directory = parts.slice(0, depth).join("/");
      const isLink = await unlink(join(root, directory)).then(
        () => true,
        () => false,
      );
      if (isLink) await linkAll(join(tree, directory), join(root, directory));
    }
    const text = change(await readFile(join(tree, path), "utf8"));
    await unlink(join(root, path));
    await writeFile(join(root, path), text);
  };
  return { root, replace };
}

async function linkAll(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) await symlink(join(from, name), join(to, name));
}
