/** Reading a file that was named on the command line: bounded, for what is larger than any such file is none. */
import { createReadStream, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { FileUnreadable } from "./errors.ts";
import { formatBytes } from "./format.ts";
import { matterOf } from "./system-error.ts";

/** More than the largest update between two kernel versions, and than any module. */
const inputLimitBytes = 256 << 20;

/** @throws FileUnreadable with this hint, or the signal's reason */
export async function readInput(
  path: string,
  {
    hint,
    signal,
    limitBytes = inputLimitBytes,
  }: { readonly hint: string; readonly signal: AbortSignal; readonly limitBytes?: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    // A file that is too large is not read at all; a pipe has no size beforehand.
    signal.throwIfAborted();
    const found = await stat(path);
    if (found.size > limitBytes) throw tooLarge(limitBytes);
    // At once, which is many times as fast as by parts; files of the kernel (/proc) have no size either.
    if (found.isFile() && found.size > 0) return readFileSync(path);
    for await (const chunk of createReadStream(path, { signal })) {
      chunks.push(chunk as Buffer);
      sizeBytes += (chunk as Buffer).length;
      if (sizeBytes > limitBytes) throw tooLarge(limitBytes);
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw new FileUnreadable(`cannot read ${path}: ${matterOf(cause) ?? (cause as Error).message}`, hint, {
      cause,
    });
  }
  return Buffer.concat(chunks);
}

function tooLarge(limitBytes: number): Error {
  return new Error(`it is larger than ${formatBytes(limitBytes)}`);
}
