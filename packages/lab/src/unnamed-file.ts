import { randomUUID } from "node:crypto";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GuestFileFailed } from "./errors.ts";

/** A temporary file without a name: it is gone as soon as its last user is, however that one ends. */
export interface UnnamedFile extends Disposable {
  readonly descriptor: number;
}

/** An empty file in the temporary directory. What throws in `fill` closes it. */
export function unnamedFile(fill: (descriptor: number) => void): UnnamedFile {
  const path = join(tmpdir(), `kgraft-lab-${randomUUID()}`);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    fill(descriptor);
  } catch (cause) {
    if (descriptor !== undefined) closeSync(descriptor);
    throw new GuestFileFailed(`cannot write temporary file for the guest in ${tmpdir()}: ${String(cause)}`, {
      cause,
    });
  }
  const open = descriptor;
  return { descriptor: open, [Symbol.dispose]: () => closeSync(open) };
}

/** Writes all bytes from the current position on. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written);
}
