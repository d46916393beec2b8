/** What the package of the version before says of itself, for the one that is to follow it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type ChangelogEntry, parseChangelog } from "./changelog.ts";
import { BadPackageInput, PackageToolFailed } from "./errors.ts";
import { runTool, type Work } from "./run.ts";

const limitBytes = 16 << 20;

/** The changelog in a .deb, newest first. @throws BadPackageInput */
export async function readPackageChangelog(path: string, work: Work): Promise<readonly ChangelogEntry[]> {
  const folder = await mkdtemp(join(tmpdir(), "kgraft-previous-"));
  try {
    const name = (await runTool("dpkg-deb", ["--field", path, "Package"], work)).trim();
    await runTool("dpkg-deb", ["--extract", path, folder], work);
    const bytes = await readFile(join(folder, "usr/share/doc", name, "changelog.Debian.gz"));
    return parseChangelog(
      gunzipSync(bytes, { maxOutputLength: limitBytes }).toString("utf8"),
      basename(path),
    );
  } catch (cause) {
    work.signal.throwIfAborted();
    if (cause instanceof BadPackageInput) throw cause;
    const why = cause instanceof PackageToolFailed ? cause.hint : (cause as Error).message;
    throw new BadPackageInput(
      `cannot read changelog of ${path}: ${why.split("\n")[0]}`,
      "name the .deb of the version before, as kgraft package wrote it",
      { cause },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
