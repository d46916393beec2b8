/**
 * The cache directory. What is visible in it is complete: files and directories are written under a temporary
 * name and renamed. What must not be done twice at once is done under a lock file that names its owner; the
 * lock of a process that is gone counts for nothing.
 */
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, link, mkdir, open, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isNoSpace, NoSpace } from "./errors.ts";
import type { OnProgress } from "./progress.ts";

/** `$KGRAFT_CACHE`, else `$XDG_CACHE_HOME/kgraft`, else `~/.cache/kgraft`. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return env["KGRAFT_CACHE"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kgraft");
}

export function kernelsDirectory(): string {
  return join(cacheDirectory(), "kernels");
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A name beside `path` that no other process takes. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
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

/** Not mkdir's own recursion: in Node 24 it never returns where a directory refuses to have any (`/proc/nowhere`). */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || (await exists(parent))) throw error;
    await makeDirectory(parent);
    await makeDirectory(path);
  }
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

/**
 * Runs `work` while no other process runs work under the same lock file. The owner is named as
 * "pid start-time", so a recycled pid is not taken for it.
 */
export async function withLock<T>(
  path: string,
  options: { readonly onProgress: OnProgress; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const mine = `${process.pid} ${await startTime(process.pid)} ${randomBytes(4).toString("hex")}\n`;
  let told = false;
  while (!(await tryLock(path, mine))) {
    if (!told) options.onProgress({ stage: "wait", message: "another kgraft is at work on the same kernel" });
    told = true;
    await sleep(200, undefined, { signal: options.signal });
  }
  try {
    return await work();
  } finally {
    await unlink(path);
  }
}

/** Links a complete lock file into place; where one of a dead owner stands, removes it for the next try. */
async function tryLock(path: string, mine: string): Promise<boolean> {
  const temporary = temporaryName(path);
  await writeWhole(temporary, mine);
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(temporary);
  }
  const seen = await readFile(path, "utf8").catch(() => "");
  if (seen === "" || (await isAlive(seen))) return false;
  // Take the dead lock away under a name of our own; should a live one have come in between, put it back.
  const taken = temporaryName(path);
  await rename(path, taken).catch(() => undefined);
  const content = await readFile(taken, "utf8").catch(() => seen);
  if (content !== seen) await link(taken, path).catch(() => undefined);
  await rm(taken, { force: true });
  return false;
}

async function isAlive(owner: string): Promise<boolean> {
  const [pid, start] = owner.split(" ");
  return (await startTime(Number(pid))) === start;
}

/** Start time of a process in clock ticks since boot: field 22 of /proc/PID/stat; "gone" where there is none. */
async function startTime(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return line.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? "gone";
}
