/** The changelog that the distribution ships with a kernel's source: what each of its versions repaired. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { locate, updateIndex } from "./apt.ts";
import type { Architecture } from "./architecture.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { withLock } from "./cache.ts";
import { download } from "./download.ts";
import type { WorkOptions } from "./progress.ts";
import { runScript } from "./run.ts";
import { sourcePackage } from "./version.ts";
import { makeDirectory, writeWhole } from "./write-whole.ts";

export interface ChangelogRequest {
  /** Package version, such as 6.1.192-1. */
  readonly version: string;
  readonly suite?: string;
  readonly architecture?: Architecture;
}

const unpack =
  "dpkg-deb --fsys-tarfile \"$1\" | tar -xOf - --wildcards './usr/share/doc/*/changelog.Debian.gz' | gzip -dc";

/**
 * The text of the changelog, in Debian's format (deb-changelog(5)), newest version first. Kept once it was read.
 *
 * @throws VersionNotCarried, DownloadFailed, NoSpace
 */
export async function readChangelog(request: ChangelogRequest, work: WorkOptions): Promise<string> {
  const wanted = sourcePackage(request.version);
  const directory = join(cacheDirectory(), "changelogs");
  const path = join(directory, wanted.version);
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) return known;
  await makeDirectory(directory);
  return withLock(`${path}.lock`, work, async () => {
    const apt = await updateIndex(request.suite ?? "bookworm", request.architecture ?? "amd64", work);
    const packages = await locate(apt, [wanted], work.signal);
    const [file] = await download(packages, work);
    const { stdout } = await runScript(unpack, [file!], { signal: work.signal });
    await writeWhole(path, stdout);
    return stdout;
  });
}
