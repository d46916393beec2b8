import { spawn } from "node:child_process";
import { ftruncateSync } from "node:fs";
import { GuestFileFailed } from "./errors.ts";
import type { GuestOptions } from "./options.ts";
import { findMke2fs } from "./requirements.ts";
import { unnamedFile, type UnnamedFile } from "./unnamed-file.ts";

/** Runs mke2fs over an open file, with the host's defaults for ext4. */
async function makeExt4(descriptor: number, signal: AbortSignal | undefined): Promise<void> {
  const program = await findMke2fs();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(program, ["-q", "-F", "-t", "ext4", "/proc/self/fd/3"], {
    stdio: ["ignore", "ignore", "pipe", descriptor],
    ...(signal && { signal }),
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4096);
  });
  child.on("error", (cause) => reject(signal?.aborted ? signal.reason : cause));
  child.on("close", (code) => {
    if (code === 0) resolve();
    else
      reject(
        new GuestFileFailed(
          `cannot make ext4 on the guest's disk: mke2fs exited with ${code}: ${said.trim()}`,
        ),
      );
  });
  return promise;
}

/** The guest's scratch disk, sparse, as an open file; none where the options want none. */
export async function makeDisk(options: GuestOptions): Promise<UnnamedFile | undefined> {
  const { diskSizeBytes, diskFileSystem, signal } = options;
  if (diskSizeBytes === undefined) return undefined;
  const disk = unnamedFile((descriptor) => ftruncateSync(descriptor, diskSizeBytes));
  try {
    if (diskFileSystem !== undefined) await makeExt4(disk.descriptor, signal);
    return disk;
  } catch (error) {
    disk[Symbol.dispose]();
    throw error;
  }
}
