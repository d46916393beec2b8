/** The last word on the data is not the guest's: its disk is checked here, by the file system's own checker. */
import { execFile } from "node:child_process";
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DemoFailed } from "../errors.ts";

/** Debian has it in /usr/sbin, which is not on every user's PATH. */
const programs = ["/usr/sbin/e2fsck", "/sbin/e2fsck"] as const;

const diskLimitBytes = 256 << 20;

/** A directory for the time of some work. */
export async function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "kgraft-demo-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Checks a packed ext4 image. @throws DemoFailed with what e2fsck says */
export async function checkFileSystem(packed: string, signal: AbortSignal): Promise<"clean"> {
  return withDirectory(async (directory) => {
    const image = join(directory, "disk");
    const bytes = await promisify(gunzip)(Buffer.from(packed, "base64"), { maxOutputLength: diskLimitBytes });
    await writeFile(image, bytes);
    return checkImage(image, signal);
  });
}

async function checkImage(image: string, signal: AbortSignal): Promise<"clean"> {
  const program = await access(programs[0]).then(
    () => programs[0],
    () => programs[1],
  );
  try {
    await promisify(execFile)(program, ["-f", "-n", image], { signal });
    return "clean";
  } catch (cause) {
    signal.throwIfAborted();
    const { code, stdout, message } = cause as Error & { readonly code?: number; readonly stdout?: string };
    throw new DemoFailed(
      `the guest's file system is damaged: e2fsck exits with ${code ?? message}, wanted 0`,
      stdout?.trim() || message,
      { cause },
    );
  }
}
