/** The distribution's own update of its kernel, as a source change to the kernel that runs. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BadChange, type PatchFile, readChange, type SourceChange } from "@kgraft/build";
import { diffVersions, type FileChange, type KernelTree, type OnProgress } from "@kgraft/kernel";

export interface Update {
  readonly from: string;
  readonly to: string;
  /** Every file that differs between the two versions. */
  readonly files: readonly FileChange[];
  readonly change: SourceChange;
  /** Changed files that the kernel's tree does not have: they belong to other architectures. */
  readonly foreign: ReadonlySet<string>;
  /** The difference that was taken, as the manifest names it. */
  readonly patch: PatchFile;
}

/**
 * Reads what differs between two versions of the distribution's source.
 *
 * @throws what `diffVersions` throws, and {@link BadChange} when `from` is not what the kernel was built from
 */
export async function readUpdate(
  tree: KernelTree,
  { from, to }: { readonly from: string; readonly to: string },
  work: { readonly onProgress: OnProgress; readonly signal: AbortSignal },
): Promise<Update> {
  if (from !== tree.packageVersion) {
    throw new BadChange(
      `cannot plan from ${from}: ${tree.release} was built from ${tree.packageVersion}, wanted that version`,
      `type: kgraft plan --kernel ${tree.release} --from ${tree.packageVersion} --to ${to}`,
    );
  }
  const source = { suite: tree.suite, architecture: tree.architecture };
  const { files } = await diffVersions({ from, to, ...source }, work);
  const known = await Promise.all(files.map((file) => isInTree(tree, file)));
  const foreign = new Set(files.filter((_, index) => known[index] === false).map(({ path }) => path));
  const paths = files.map(({ path }) => path).filter((path) => !foreign.has(path));
  const { text } = await diffVersions({ from, to, paths, ...source }, work);
  const patch = { name: `${from}..${to}.patch`, text };
  const change = await readChange([patch], (path) =>
    readFile(join(tree.sourceDirectory, path), "utf8").catch(() => undefined),
  );
  return { from, to, files, change, foreign, patch };
}

/** A new file belongs to this kernel when another architecture's folder is not where it goes. */
async function isInTree({ sourceDirectory }: KernelTree, { path, kind }: FileChange): Promise<boolean> {
  const place = kind === "added" ? path.split("/").slice(0, 2).join("/") : path;
  return access(join(sourceDirectory, place)).then(
    () => true,
    () => false,
  );
}
