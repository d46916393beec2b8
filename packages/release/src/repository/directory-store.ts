/**
 * A repository in a folder: each file is written beside its place, synced, and renamed into it.
 *
 * Files that belong together (repomd.xml and its signature) change at once because their folder is a symbolic link to
 * a folder of this publication: the next one is made beside it, with links to all that stays, and the symbolic link is
 * renamed into its place.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  access,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeFolder } from "../folder.ts";
import { RepositoryBusy, StoreFailed } from "./errors.ts";
import { fileLimitBytes, type Lock, type NamedFile, type Store, type StoredFile } from "./store.ts";

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
    writeTogether: (folder, files) =>
      replaceFolder(join(directory, folder), files).catch((cause: unknown) => {
        throw storeError("write", join(directory, folder), cause);
      }),
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
    await writeSynced(temporary, bytes);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function replaceFolder(path: string, files: readonly NamedFile[]): Promise<void> {
  const parent = dirname(path);
  const prefix = `.${basename(path)}-`;
  const next = `${prefix}${randomBytes(6).toString("hex")}`;
  await mkdir(join(parent, next), { recursive: true });
  const fresh = new Set(files.map(([name]) => name));
  for (const name of await readdir(path).catch(() => [])) {
    if (!fresh.has(name) && !name.endsWith(".tmp")) await link(join(path, name), join(parent, next, name));
  }
  for (const [name, bytes] of files) await writeSynced(join(parent, next, name), bytes);
  const replacement = join(parent, `${next}.link`);
  await symlink(next, replacement);
  // The first time it is a folder of its own, which no rename replaces; no client has seen anything then.
  if ((await lstat(path).catch(() => undefined))?.isDirectory() === true) {
    await rename(path, join(parent, `${next}.first`));
  }
  await rename(replacement, path);
  // The one before, and what killed publishers left.
  const old = (await readdir(parent)).filter((name) => name.startsWith(prefix) && name !== next);
  await Promise.all(old.map((name) => rm(join(parent, name), { recursive: true, force: true })));
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * The lock is the kernel's own on a file, held by a child of flock(1) that waits for the end of its input: whatever
 * becomes of this process, its pipe closes, the child goes, and the lock with it.
 */
async function lockDirectory(directory: string): Promise<Lock> {
  const path = join(directory, "kgraft", ".lock");
  await makeFolder(dirname(path)).catch((cause: unknown) => {
    throw storeError("write", path, cause);
  });
  const holder = spawn("flock", ["--nonblock", path, "sh", "-c", "echo held; cat"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<Error | undefined>((resolve) => {
    holder.once("error", resolve);
    holder.once("close", () => resolve(undefined));
  });
  const held = await Promise.race([
    new Promise<boolean>((resolve) => holder.stdout.once("data", () => resolve(true))),
    ended.then(() => false),
  ]);
  if (!held) throw lockRefused(directory, path, holder.exitCode, await ended);
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

/** flock(1): 1 is a lock that somebody else holds, 65 and above is one that cannot be had at all. */
function lockRefused(
  directory: string,
  path: string,
  status: number | null,
  cause: Error | undefined,
): RepositoryBusy | StoreFailed {
  if (status === 1) {
    return new RepositoryBusy(
      `cannot publish to ${directory}: another publication is at work there`,
      "wait for its end, and type the command again",
    );
  }
  return storeError("lock", path, cause ?? new Error(`flock ended with ${status ?? "a signal"}`));
}

function storeError(verb: string, path: string, cause: unknown): StoreFailed {
  return new StoreFailed(
    `cannot ${verb} ${path}: ${(cause as Error).message}`,
    "see that the folder is there, is yours, and has room",
    { cause },
  );
}
