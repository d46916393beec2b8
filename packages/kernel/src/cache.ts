/**
 * The cache directory. What is visible in it is complete: see write-whole.ts. What must not be done twice at once is done under a lock file that names its owner; the
 * lock of a process that is gone counts for nothing.
 */
import { createHash, randomBytes } from "node:crypto";
import { link, readFile, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheDirectory } from "./cache-directory.ts";
import type { OnProgress } from "./progress.ts";
import { makeDirectory, temporaryName, writeWhole } from "./write-whole.ts";

export function kernelsDirectory(): string {
  return join(cacheDirectory(), "kernels");
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
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
  await makeDirectory(dirname(path));
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
