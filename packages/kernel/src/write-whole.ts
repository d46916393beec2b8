/** Files that appear whole or not at all: written under a temporary name, and renamed. */
import { constants } from "node:fs";
import { access, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isNoSpace, NoSpace } from "./errors.ts";

/** A name beside `path` that no other process takes. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}-${process.hrtime.bigint().toString(36)}.tmp`;
}

/** Writes a file whole or not at all. Throws NoSpace. */
export async function writeWhole(path: string, data: string | Uint8Array): Promise<void> {
  await writeTogether([[path, data]]);
}

/**
 * Writes files that belong together: none of them becomes visible before all are whole. What is no file (`/dev/null`, a
 * pipe) is written to and never replaced: as root that would take the machine's own away. Throws NoSpace.
 */
export async function writeTogether(
  files: readonly (readonly [path: string, data: string | Uint8Array])[],
): Promise<void> {
  const written: { path: string; data: string | Uint8Array; temporary: string }[] = [];
  for (const [path, data] of files) {
    if (await isStream(path)) await writeInto(path, data);
    else written.push({ path, data, temporary: temporaryName(path) });
  }
  try {
    for (const { path, data, temporary } of written) {
      await makeDirectory(dirname(path));
      await writeSynced(temporary, data).catch(withNoSpace(path));
    }
    for (const { path, temporary } of written) await rename(temporary, path);
  } catch (error) {
    await Promise.all(written.map(({ temporary }) => rm(temporary, { force: true })));
    throw error;
  }
}

/** A device, a pipe or a socket, as opposed to a file, a folder, or nothing yet. */
async function isStream(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

async function writeInto(path: string, data: string | Uint8Array): Promise<void> {
  await writeFile(path, data, { flag: constants.O_WRONLY }).catch(withNoSpace(path));
}

function withNoSpace(path: string): (error: unknown) => never {
  return (error) => {
    throw isNoSpace(error) ? new NoSpace(path, { cause: error }) : error;
  };
}

/**
 * Makes a folder, with what is missing above it. Not by mkdir's own recursion: in Node 24 it never returns where a
 * directory refuses to have any (`/proc/nowhere`).
 */
export async function makeDirectory(path: string): Promise<void> {
  const refused = await makeOne(path);
  if (refused === undefined) return;
  const parent = dirname(path);
  if (refused.code !== "ENOENT" || parent === path) throw refused;
  // Where the parent is there by now, others made it meanwhile, or it refuses: it says so again.
  if (!(await exists(parent))) await makeDirectory(parent);
  const again = await makeOne(path);
  if (again !== undefined) throw again;
}

/** @returns why it cannot be made, where it is not there */
async function makeOne(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return mkdir(path).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => (error.code === "EEXIST" ? undefined : error),
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function writeSynced(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}
