/** A repository in a folder: each file is written beside its place, synced, and renamed into it. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { access, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RepositoryBusy, StoreFailed } from "./errors.ts";
import { fileLimitBytes, type Lock, type Store, type StoredFile } from "./store.ts";

export function directoryStore(directory: string): Store {
  const write = (path: string, bytes: Uint8Array): Promise<void> =>
    writeWhole(join(directory, path), bytes).catch((cause: unknown) => {
      throw storeError("write", join(directory, path), cause);
    });
  return {
    name: directory,
    read: (path, limitBytes = fileLimitBytes) => readBounded(join(directory, path), limitBytes),
    writeLasting: write,
    writePointer: write,
    has: (path) =>
      access(join(directory, path)).then(
        () => true,
        () => false,
      ),
    remove: (path) => rm(join(directory, path), { force: true }),
    lock: () => lockDirectory(directory),
  };
}

async function readBounded(path: string, limitBytes: number): Promise<StoredFile | undefined> {
  try {
    const { size } = await stat(path);
    if (size > limitBytes) throw new Error(`found ${size} bytes, wanted at most ${limitBytes}`);
    return { bytes: await readFile(path), tag: undefined };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw storeError("read", path, cause);
  }
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(temporary, "wx", 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * The lock is the kernel's own on a file, held by a child of flock(1) that waits for the end of its input: whatever
 * becomes of this process, its pipe closes, the child goes, and the lock with it.
 */
async function lockDirectory(directory: string): Promise<Lock> {
  const path = join(directory, "kgraft", ".lock");
  await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
    throw storeError("write", path, cause);
  });
  const holder = spawn("flock", ["--nonblock", path, "sh", "-c", "echo held; cat"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => {
    holder.once("error", () => resolve());
    holder.once("close", () => resolve());
  });
  const held = await Promise.race([
    new Promise<boolean>((resolve) => holder.stdout.once("data", () => resolve(true))),
    ended.then(() => false),
  ]);
  if (!held) {
    throw new RepositoryBusy(
      `cannot publish to ${directory}: another publication is at work there`,
      "wait for its end, and type the command again",
    );
  }
  return {
    check() {
      if (holder.exitCode === null) return;
      throw new RepositoryBusy(
        `cannot publish to ${directory}: the lock on it was lost`,
        "see what ended the program flock, and type the command again",
      );
    },
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}

function storeError(verb: string, path: string, cause: unknown): StoreFailed {
  return new StoreFailed(
    `cannot ${verb} ${path}: ${(cause as Error).message}`,
    "see that the folder is there, is yours, and has room",
    { cause },
  );
}
