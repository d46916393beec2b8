/**
 * Which files differ between two source packages. Both tar balls are decompressed side by side and read member by
 * member; a member waits only until its counterpart has come. They are packed in the same order, so little
 * waits, and neither tree is ever unpacked.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { basename } from "node:path";
import { CommandFailed, ToolMissing } from "./errors.ts";
import { cleanEnvironment } from "./run.ts";
import { readTar, type TarMember } from "./tar.ts";

export interface ChangedFile {
  /** Path in the kernel tree. */
  readonly path: string;
  /** The old bytes; undefined where the file is new. */
  readonly old?: Buffer;
  /** The new bytes; undefined where the file is gone. */
  readonly new?: Buffer;
}

/** The regular files that differ between two linux-source packages, by path. */
export async function compareSources(
  fromPackage: string,
  toPackage: string,
  signal: AbortSignal,
): Promise<readonly ChangedFile[]> {
  return compareMembers(sourceMembers(fromPackage, signal), sourceMembers(toPackage, signal));
}

/** Reads two member streams in turn and returns what is not the same in both. */
export async function compareMembers(
  from: AsyncGenerator<TarMember>,
  to: AsyncGenerator<TarMember>,
): Promise<readonly ChangedFile[]> {
  const old: Side = { members: from, waiting: new Map(), done: false };
  const fresh: Side = { members: to, waiting: new Map(), done: false };
  const changed: ChangedFile[] = [];
  try {
    while (!old.done || !fresh.done) {
      const before = await nextFile(old);
      if (before !== undefined) match(before, old, fresh, (a, b) => ({ old: a, new: b }), changed);
      const after = await nextFile(fresh);
      if (after !== undefined) match(after, fresh, old, (b, a) => ({ old: a, new: b }), changed);
    }
  } finally {
    await Promise.allSettled([from.return(undefined), to.return(undefined)]);
  }
  for (const [path, content] of old.waiting) changed.push({ path, old: content });
  for (const [path, content] of fresh.waiting) changed.push({ path, new: content });
  return changed.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

interface Side {
  readonly members: AsyncGenerator<TarMember>;
  /** Files whose counterpart has not come yet. */
  readonly waiting: Map<string, Buffer>;
  done: boolean;
}

/** The next regular file, named without the top directory; undefined at another member or at the end. */
async function nextFile(side: Side): Promise<TarMember | undefined> {
  if (side.done) return undefined;
  const next = await side.members.next();
  side.done = next.done === true;
  if (next.done === true || next.value.kind !== "file") return undefined;
  return { ...next.value, path: next.value.path.replace(/^(\.\/)?[^/]+\//, "") };
}

/** Compares a file with its counterpart, or lets it wait for it. */
function match(
  file: TarMember,
  own: Side,
  other: Side,
  pair: (own: Buffer, other: Buffer) => Omit<ChangedFile, "path">,
  changed: ChangedFile[],
): void {
  const counterpart = other.waiting.get(file.path);
  if (counterpart === undefined) {
    own.waiting.set(file.path, file.content);
    return;
  }
  other.waiting.delete(file.path);
  if (file.content.equals(counterpart)) return;
  // Copies: the pieces of the stream they lie in are large.
  changed.push({ path: file.path, ...pair(Buffer.from(file.content), Buffer.from(counterpart)) });
}

/** The members of the tar ball inside a linux-source package. */
async function* sourceMembers(path: string, signal: AbortSignal): AsyncGenerator<TarMember> {
  signal.throwIfAborted();
  const script = `set -euo pipefail
    dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc -T0`;
  const child = spawn("bash", ["-c", script, "kgraft", path], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: cleanEnvironment(),
  });
  const end = childEnd(child);
  const kill = (): void => {
    try {
      process.kill(-child.pid!, "SIGTERM");
    } catch {
      // It has ended.
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  let complete = false;
  try {
    yield* readTar(child.stdout as AsyncIterable<Buffer>, basename(path));
    complete = true;
  } catch (error) {
    signal.throwIfAborted();
    // A tar that ends early is the consequence; what the programs said is the cause.
    const { code, stderr } = await end;
    throw code === 0 ? error : new CommandFailed(`unpack ${basename(path)}`, code, stderr);
  } finally {
    // Behind the end mark come only zero blocks, which the programs may still be writing.
    if (!complete) kill();
    child.stdout.destroy();
    await end.catch(() => undefined);
    signal.removeEventListener("abort", kill);
  }
}

function childEnd(
  child: ChildProcessByStdio<null, Readable, Readable>,
): Promise<{ readonly code: number; readonly stderr: string }> {
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-65_536)));
  const end = new Promise<{ code: number; stderr: string }>((resolve, reject) => {
    child.once("error", (error) => reject(new ToolMissing("bash", { cause: error })));
    child.once("close", (code) => resolve({ code: code ?? 128, stderr }));
  });
  end.catch(() => undefined);
  return end;
}
