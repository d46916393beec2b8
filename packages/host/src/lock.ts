/**
 * One kgr at a time changes the kernel's live patches and what is noted of them. QuickJS has no flock(2), and a lock
 * file would outlive a kgr that was killed. So each kgr that wants to change something makes a claim, a directory
 * named by its process number and the time that process began, which no other process ever has together:
 *
 *     /run/kgr/lock/1234.567890/
 *
 * It makes its own claim first and then looks for others: of two at least one sees the other, and whoever sees
 * another takes its own back and tries again a little later. The claim of a process that is gone counts for nothing,
 * and whoever sees it removes it.
 *
 * It is held while something is changed, not while a transition is waited for: `kgr disable` must be able to turn
 * back what `kgr load` waits for. Where /run cannot be written to, all goes on without: the kernel itself does one
 * change at a time, the lock only keeps what kgr checks before and notes after together.
 */
import type { Dialect } from "./dialect.ts";
import { InterruptedError, RefusedError } from "./errors.ts";
import { t } from "./language.ts";
import { recordDirectory } from "./manifest-file.ts";
import type { Policy } from "./policy.ts";
import { progressOn } from "./progress.ts";
import { type System, SystemError } from "./system.ts";
import { listNames, printable, readText } from "./text.ts";

const directory = `${recordDirectory}/lock`;
const shortestPauseMs = 20;
const longestPauseMs = 100;
/** Most changes are done by then; what is waited for longer is told. */
const quietMs = 1000;

/** What of a command's context the lock goes by. */
export interface Locking {
  readonly system: System;
  /** How long another kgr is waited for. */
  readonly policy: Pick<Policy, "busyTimeoutMs">;
  readonly invocation: { readonly json: boolean };
  readonly dialect: Pick<Dialect, "program">;
}

/**
 * Does something while no other kgr does, and says so when it has to wait.
 *
 * @throws RefusedError, InterruptedError: then nothing was done
 */
export async function whileLocked<Result>(locking: Locking, action: () => Promise<Result>): Promise<Result> {
  const { system } = locking;
  const own = ownClaim(system);
  const held = own !== null && (await acquire(locking, own));
  try {
    return await action();
  } finally {
    if (held) {
      release(system, own);
    }
  }
}

/** @returns false where no claim can be made */
async function acquire({ system, policy, invocation, dialect }: Locking, own: string): Promise<boolean> {
  const startMs = system.nowMs();
  const progress = progressOn(system, !invocation.json);
  for (;;) {
    if (!claim(system, own)) {
      return false;
    }
    const other = otherClaim(system, own);
    if (other === null) {
      progress.end();
      return true;
    }
    release(system, own);
    if (system.interrupted()) {
      progress.end();
      throw new InterruptedError(t`cannot go on waiting: interrupted`, t`type: kgr -v patches`);
    }
    const { pid, command } = other;
    const elapsedMs = system.nowMs() - startMs;
    if (elapsedMs >= policy.busyTimeoutMs) {
      progress.end();
      throw new RefusedError(
        t`cannot change live patches: process ${pid} (${command}) is changing them`,
        t`wait until it is done, and type the command again`,
      );
    }
    if (elapsedMs >= quietMs) {
      progress.busy(dialect.program, t`waits for process ${pid} (${command})`, { elapsedMs, where: null });
    }
    await system.sleep(shortestPauseMs + Math.random() * (longestPauseMs - shortestPauseMs));
  }
}

function claim(system: System, own: string): boolean {
  try {
    system.makeDirectory(recordDirectory);
    system.makeDirectory(directory);
    system.makeDirectory(`${directory}/${own}`);
    return true;
  } catch (error) {
    if (error instanceof SystemError) {
      return false;
    }
    throw error;
  }
}

function release(system: System, claimed: string): void {
  try {
    system.removeDirectory(`${directory}/${claimed}`);
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error; // otherwise someone else has removed it
    }
  }
}

interface Claimant {
  readonly pid: number;
  readonly command: string;
}

/** Another process that holds or wants the lock; claims of those that are gone are removed. */
function otherClaim(system: System, own: string): Claimant | null {
  for (const name of listNames(system, directory).filter((entry) => entry !== own)) {
    const [, pid, began] = /^(\d{1,10})\.(\d{1,20})$/.exec(name) ?? [];
    if (pid !== undefined && processBegan(system, pid) === began) {
      const words = readText(system, `/proc/${pid}/cmdline`)?.split("\0") ?? [];
      return { pid: Number(pid), command: printable(words.join(" ").trim()) };
    }
    release(system, name);
  }
  return null;
}

/** Null where /proc does not tell. */
function ownClaim(system: System): string | null {
  const pid = /^\d{1,10}/.exec(readText(system, "/proc/self/stat") ?? "")?.[0];
  const began = processBegan(system, "self");
  return pid === undefined || began === null ? null : `${pid}.${began}`;
}

/**
 * When a process began, in ticks since the start of the machine: field 22 of its stat, 20th behind the name in
 * brackets, in which anything may stand. Null for one that has ended, be it waited for or not.
 */
function processBegan(system: System, pid: string): string | null {
  const stat = readText(system, `/proc/${pid}/stat`) ?? "";
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ended = fields[0] === "Z" || fields[0] === "X";
  return ended || !/^\d+$/.test(fields[19] ?? "") ? null : fields[19]!; // it matched
}
