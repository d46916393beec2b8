/** Files of a kernel's source package that its prepared tree leaves out, such as the kernel's own tests. */
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { locate, updateIndex } from "../src/apt.ts";
import { cacheDirectory } from "../src/cache-directory.ts";
import { sha256, withLock } from "../src/cache.ts";
import { download } from "../src/download.ts";
import { runScript } from "../src/run.ts";
import { isThere, type KernelTree } from "../src/tree.ts";
import { sourcePackage } from "../src/version.ts";

const { signal } = new AbortController();
const work = { onProgress: () => {}, signal };
const unpack = `deb=$1 to=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" |
  tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc -T0 |
  tar -x -C "$to" --strip-components=1 --no-same-owner --wildcards -f - "$@"`;

/**
 * Unpacks some folders of a kernel's source, and keeps them in the cache.
 *
 * @param folders paths in the source tree
 * @returns where the tree with these folders lies
 */
export async function sourceFolders(kernel: KernelTree, folders: readonly string[]): Promise<string> {
  const wanted = sourcePackage(kernel.packageVersion);
  const parent = join(cacheDirectory(), "source-folders");
  const ready = join(parent, `${wanted.version}-${sha256(folders.join("\n")).slice(0, 16)}`);
  await mkdir(parent, { recursive: true });
  return withLock(`${ready}.lock`, work, async () => {
    if (await isThere(ready)) return ready;
    const apt = await updateIndex(kernel.suite, kernel.architecture, work);
    const [file] = await download(await locate(apt, [wanted], signal), work);
    const partial = await mkdtemp(join(parent, ".partial-"));
    try {
      await runScript(unpack, [file!, partial, ...folders.map((folder) => `*/${folder}`)], { signal });
      await rename(partial, ready);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    return ready;
  });
}
