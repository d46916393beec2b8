/**
 * Fetches package files with the sizes and hashes of the signed index. A file becomes visible under its name
 * only when both are right; until then it is NAME.part, which a later run goes on from. Several parts at once
 * would only share one line, so they come one after the other.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PackageFile } from "./apt.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { withLock } from "./cache.ts";
import { DownloadFailed, isNoSpace, NoSpace } from "./errors.ts";
import type { WorkOptions } from "./progress.ts";
import { makeDirectory } from "./write-whole.ts";

/** Silence of the other side after which a download counts as cut off. */
const stallMs = 60_000;
const tries = 3;

export function downloadsDirectory(): string {
  return join(cacheDirectory(), "downloads");
}

/**
 * Fetches files that are not there yet and returns their paths.
 * Throws DownloadFailed (cut off, refused, wrong hash) and NoSpace.
 */
export async function download(
  files: readonly PackageFile[],
  work: WorkOptions,
  directory: string = downloadsDirectory(),
): Promise<readonly string[]> {
  await makeDirectory(directory);
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  let before = 0;
  const paths: string[] = [];
  for (const file of files) {
    const base = before;
    const report = (doneBytes: number): void =>
      work.onProgress({ stage: "download", doneBytes: base + doneBytes, totalBytes, message: file.file });
    paths.push(await downloadOne(file, directory, report, work));
    before += file.sizeBytes;
    report(file.sizeBytes);
  }
  return paths;
}

async function downloadOne(
  file: PackageFile,
  directory: string,
  report: (doneBytes: number) => void,
  work: WorkOptions,
): Promise<string> {
  const path = join(directory, file.file);
  // Checked when it was renamed into place; its size is a guard against another version of the same name.
  if ((await sizeOf(path)) === file.sizeBytes) return path;
  const part = `${path}.part`;
  return withLock(`${path}.lock`, work, async () => {
    if ((await sizeOf(path)) === file.sizeBytes) return path;
    for (let attempt = 1; ; attempt++) {
      const isFresh = ((await sizeOf(part)) ?? 0) === 0;
      try {
        await continuePart(file, part, report, work.signal);
        break;
      } catch (error) {
        work.signal.throwIfAborted();
        if (isNoSpace(error)) throw new NoSpace(path, { cause: error });
        // A wrong hash may come from what an earlier run has left; of a whole fresh file it is final.
        const isFinal = isFresh && error instanceof DownloadFailed && error.message.includes("hash");
        if (!isFinal && attempt < tries) continue;
        if (error instanceof DownloadFailed) throw error;
        throw new DownloadFailed(file.file, reasonOf(error), "an unbroken connection", { cause: error });
      }
    }
    await rename(part, path);
    return path;
  });
}

/** Appends what is missing to the part and checks size and hash of the whole; a wrong one is removed. */
async function continuePart(
  file: PackageFile,
  part: string,
  report: (doneBytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let have = (await sizeOf(part)) ?? 0;
  if (have > file.sizeBytes) have = 0;
  const hash = createHash("sha256");
  if (have > 0) await hashFile(part, hash, signal);
  if (have < file.sizeBytes) {
    const stall = new AbortController();
    const response = await fetch(file.address, {
      headers: have > 0 ? { range: `bytes=${have}-` } : {},
      signal: AbortSignal.any([signal, stall.signal]),
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new DownloadFailed(file.file, `the mirror answers ${response.status}`, "200");
    }
    const resumed = response.status === 206;
    await receive(
      response.body,
      { file, part, have: resumed ? have : 0, report, stall, signal },
      hash,
      resumed,
    );
    return;
  }
  await checkHash(file, part, hash);
}

interface Receiving {
  readonly file: PackageFile;
  readonly part: string;
  readonly have: number;
  readonly report: (doneBytes: number) => void;
  readonly stall: AbortController;
  readonly signal: AbortSignal;
}

async function receive(
  body: ReadableStream<Uint8Array>,
  to: Receiving,
  partHash: Hash,
  resumed: boolean,
): Promise<void> {
  const hash = resumed ? partHash : createHash("sha256");
  const output = await open(to.part, resumed ? "a" : "w");
  let done = to.have;
  const stalled = (): void => to.stall.abort(new Error(`silence for ${stallMs / 1000} s`));
  let timer = setTimeout(stalled, stallMs);
  try {
    for await (const chunk of body) {
      clearTimeout(timer);
      timer = setTimeout(stalled, stallMs);
      done += chunk.length;
      if (done > to.file.sizeBytes) break;
      hash.update(chunk);
      await output.write(chunk);
      to.report(done);
    }
    await output.sync();
  } finally {
    clearTimeout(timer);
    await output.close();
  }
  if (done > to.file.sizeBytes) {
    await rm(to.part, { force: true });
    throw new DownloadFailed(
      to.file.file,
      `more than ${to.file.sizeBytes} bytes and so a wrong hash`,
      "the size of the index",
    );
  }
  if (done < to.file.sizeBytes) {
    throw new DownloadFailed(to.file.file, `cut off after ${done} bytes`, `${to.file.sizeBytes} bytes`);
  }
  await checkHash(to.file, to.part, hash);
}

async function checkHash(file: PackageFile, part: string, hash: Hash): Promise<void> {
  const found = hash.digest("hex");
  if (found === file.sha256) return;
  await rm(part, { force: true });
  throw new DownloadFailed(file.file, `SHA-256 hash ${found}`, `${file.sha256}, which the signed index says`);
}

async function hashFile(path: string, hash: Hash, signal: AbortSignal): Promise<void> {
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => found.size,
    () => undefined,
  );
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
