/**
 * A whole Debian on a disk, for a guest to run from: made by mmdebstrap from the machine's own mirrors, laid into an
 * ext4 file system, and kept in the cache under what it was made of. Guests get a copy of it, never the thing itself.
 *
 * fakeroot keeps owners and modes while the tree is unpacked and handed to mke2fs, so no one needs to be root here;
 * mmdebstrap looks for itself which way it can go (root, or user namespaces).
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { access, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { aptSources, cacheDirectory, withLock } from "@kgraft/kernel";
import { RootFailed } from "./errors.ts";
import type { RootDisk } from "./options.ts";

export interface DebianRootOptions {
  /** `bookworm` where not given. */
  readonly suite?: string;
  /** Besides apt and what every Debian has. */
  readonly packages?: readonly string[];
  /** Of the disk; 4 GiB where not given. What stays empty takes no room. */
  readonly sizeBytes?: number;
  readonly signal?: AbortSignal;
}

/** Raised whenever the disk is made otherwise. */
const layout = "kgraft-debian-root/1";
const outputLimitBytes = 64 * 1024 * 1024;
const intoDisk = `set -e
mkdir "$1/root"
tar -C "$1/root" -xf "$1/root.tar"
mke2fs -q -F -t ext4 -d "$1/root" "$1/disk" "$2"`;

/**
 * The disk with a Debian of these packages, from the cache or made now (about half a minute).
 *
 * @returns path of the disk's image, to be given to `openRootDisk`
 * @throws RootFailed; MirrorUnknown of the kernel room; the signal's reason
 */
export async function makeDebianRoot(options: DebianRootOptions = {}): Promise<string> {
  const { suite = "bookworm", sizeBytes = 4 * 1024 ** 3 } = options;
  const signal = options.signal ?? new AbortController().signal;
  const packages = [...new Set(options.packages)].toSorted((a, b) => a.localeCompare(b));
  const sources = await aptSources(suite);
  const name = createHash("sha256")
    .update(JSON.stringify([layout, suite, packages, sizeBytes, sources]))
    .digest("hex");
  const folder = join(cacheDirectory(), "roots");
  const image = join(folder, `${suite}-${name.slice(0, 16)}.ext4`);
  await mkdir(folder, { recursive: true });
  await withLock(`${image}.lock`, { onProgress: () => {}, signal }, async () => {
    if (await isThere(image)) return;
    const work = await mkdtemp(join(folder, ".making-"));
    try {
      await writeFile(join(work, "sources.list"), sources);
      const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
      const target = [suite, join(work, "root.tar"), join(work, "sources.list")];
      await run("mmdebstrap", ["--quiet", "--variant=apt", ...include, ...target], signal);
      await run("fakeroot", ["sh", "-c", intoDisk, "sh", work, `${Math.ceil(sizeBytes / 1024)}k`], signal);
      await rename(join(work, "disk"), image);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  return image;
}

/** A copy of a disk's image that guests may write to, one after the other. It has no name and goes with this process. */
export async function openRootDisk(image: string): Promise<RootDisk> {
  const folder = await mkdtemp(join(tmpdir(), "kgraft-root-"));
  try {
    const copy = join(folder, "disk");
    await run("cp", ["--sparse=always", "--reflink=auto", image, copy], new AbortController().signal);
    const descriptor = openSync(copy, "r+");
    return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(program: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await promisify(execFile)(program, args, { signal, maxBuffer: outputLimitBytes });
  } catch (cause) {
    signal.throwIfAborted();
    const { code, stderr = "" } = cause as { readonly code?: number | string; readonly stderr?: string };
    if (code === "ENOENT") {
      throw new RootFailed(
        `cannot make a Debian root: ${program} is not installed`,
        `apt-get install ${program}`,
        { cause },
      );
    }
    const hint = stderr.trim().split("\n").slice(-5).join("\n") || "it said nothing";
    throw new RootFailed(`cannot make a Debian root: ${program} exited with ${code}`, hint, { cause });
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
