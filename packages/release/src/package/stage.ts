/** A package's files in a folder, as they are to lie on the machine: owners aside, modes and times as packaged. */
import { copyFile, lutimes, mkdir, readdir, symlink, utimes, writeFile, chmod } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PackageDescription } from "./description.ts";

/** Lays the files and links out below a folder. */
export async function stageFiles(
  folder: string,
  { files, links }: Pick<PackageDescription, "files" | "links">,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { path, source, mode = 0o644 } of files) {
    const place = join(folder, path);
    await mkdir(dirname(place), { recursive: true });
    await (typeof source === "string" ? copyFile(source, place) : writeFile(place, source));
    await chmod(place, mode);
  }
  for (const { path, target } of links) {
    const place = join(folder, path);
    await mkdir(dirname(place), { recursive: true });
    await symlink(target, place);
  }
}

/** Dates everything below a folder alike, folders included and after what is in them. */
export async function dateFiles(folder: string, dateSeconds: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const place = join(folder, entry.name);
    if (entry.isDirectory()) await dateFiles(place, dateSeconds);
    else await lutimes(place, dateSeconds, dateSeconds);
  }
  // The umask of whoever builds is not the package's.
  await chmod(folder, 0o755);
  await utimes(folder, dateSeconds, dateSeconds);
}
