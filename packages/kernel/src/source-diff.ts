/**
 * The source change between two versions of the distribution's kernel: what a security update changed, as
 * a patch. The two linux-source packages hold the trees as they were built, the distribution's own patches
 * applied, so their difference is the fix and nothing of the packaging.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { allOrNone } from "./all-or-none.ts";
import { locate, type PackageFile, updateIndex } from "./apt.ts";
import type { Architecture } from "./architecture.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { withLock } from "./cache.ts";
import { type ChangedFile, compareSources } from "./compare-sources.ts";
import { download } from "./download.ts";
import { isNoSpace, NoSpace } from "./errors.ts";
import type { WorkOptions } from "./progress.ts";
import { run } from "./run.ts";
import { sourcePackage } from "./version.ts";
import { makeDirectory, writeWhole } from "./write-whole.ts";

export interface DiffRequest {
  /** Package versions, such as 6.1.192-1. */
  readonly from: string;
  readonly to: string;
  /** Files or directories of the tree to be shown; default all. */
  readonly paths?: readonly string[];
  readonly suite?: string;
  readonly architecture?: Architecture;
}

export interface FileChange {
  readonly path: string;
  readonly kind: "changed" | "added" | "removed";
  readonly addedLines: number;
  readonly removedLines: number;
}

export interface SourceDiff {
  readonly from: string;
  readonly to: string;
  readonly files: readonly FileChange[];
  /** Unified diff with a/ and b/, to be applied by `patch -p1`. */
  readonly text: string;
}

interface FileDiff extends FileChange {
  readonly text: string;
}

interface DiffFile {
  readonly schema: "kgraft-diff/1";
  readonly files: readonly FileDiff[];
}

/** Throws VersionNotCarried, BadRequest, DownloadFailed, NoSpace. A difference once made is not made again. */
export async function diffVersions(request: DiffRequest, work: WorkOptions): Promise<SourceDiff> {
  const wanted = [sourcePackage(request.from), sourcePackage(request.to)] as const;
  const directory = join(cacheDirectory(), "diffs");
  const path = join(directory, `${wanted[0].version}..${wanted[1].version}.json`);
  const known = await readCached(path);
  const file =
    known ??
    (await withLock(`${path}.lock`, work, async () => {
      const meanwhile = await readCached(path);
      if (meanwhile !== undefined) return meanwhile;
      const apt = await updateIndex(request.suite ?? "bookworm", request.architecture ?? "amd64", work);
      const packages = await locate(apt, wanted, work.signal);
      const made = await makeDiff([packages[0]!, packages[1]!], directory, work);
      await writeWhole(path, JSON.stringify(made));
      return made;
    }));
  const files = file.files.filter((one) => isUnder(one.path, request.paths));
  return {
    from: request.from,
    to: request.to,
    files: files.map(({ path: name, kind, addedLines, removedLines }) => {
      return { path: name, kind, addedLines, removedLines };
    }),
    text: files.map((one) => one.text).join(""),
  };
}

async function readCached(path: string): Promise<DiffFile | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  const file = text === undefined ? undefined : (JSON.parse(text) as DiffFile);
  return file?.schema === "kgraft-diff/1" ? file : undefined;
}

async function makeDiff(
  packages: readonly [PackageFile, PackageFile],
  directory: string,
  work: WorkOptions,
): Promise<DiffFile> {
  const [from, to] = await download(packages, work);
  work.onProgress({ stage: "diff", message: `comparing ${packages[0].version} and ${packages[1].version}` });
  const changed = await compareSources(from!, to!, work.signal);
  const scratch = await mkdtemp(join(directory, "tmp-"));
  try {
    return { schema: "kgraft-diff/1", files: await diffFiles(changed, scratch, work.signal) };
  } catch (error) {
    if (isNoSpace(error)) throw new NoSpace(scratch, { cause: error });
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Runs diff(1) on each pair, a few at a time. */
export async function diffFiles(
  changed: readonly ChangedFile[],
  scratch: string,
  signal: AbortSignal,
): Promise<readonly FileDiff[]> {
  const results: FileDiff[] = [];
  const pending = changed.entries();
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const worker = async (): Promise<void> => {
    for (const [index, file] of pending) results[index] = await diffFile(file, scratch, both);
  };
  // None writes any more when the scratch directory goes.
  await allOrNone(Array.from({ length: 4 }, worker), stop);
  return results;
}

async function diffFile(file: ChangedFile, scratch: string, signal: AbortSignal): Promise<FileDiff> {
  const label = (side: "a" | "b", content: Buffer | undefined): string =>
    `--label=${content === undefined ? "/dev/null" : `${side}/${file.path}`}`;
  const oldPath = await put(join(scratch, "a", file.path), file.old);
  const newPath = await put(join(scratch, "b", file.path), file.new);
  const args = ["-up", label("a", file.old), label("b", file.new), "--", oldPath, newPath];
  const { stdout } = await run("diff", args, { signal, okCodes: [0, 1] });
  const lines = stdout.split("\n").slice(2);
  return {
    path: file.path,
    kind: file.old === undefined ? "added" : file.new === undefined ? "removed" : "changed",
    addedLines: lines.filter((line) => line.startsWith("+")).length,
    removedLines: lines.filter((line) => line.startsWith("-")).length,
    text: stdout,
  };
}

async function put(path: string, content: Buffer | undefined): Promise<string> {
  if (content === undefined) return "/dev/null";
  await makeDirectory(dirname(path));
  await writeFile(path, content);
  return path;
}

function isUnder(path: string, prefixes: readonly string[] | undefined): boolean {
  if (prefixes === undefined || prefixes.length === 0) return true;
  return prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix.replace(/\/+$/, "")}/`));
}
