/**
 * Which threads a transition still waits for. The kernel moves each thread by itself and shows where it stands in
 * /proc/PID/task/TID/patch_state: -1 outside a transition, 0 on the old functions, 1 on the new ones, commit
 * d83a7cb375ee ("livepatch: change to a per-task consistency model") (in v4.12). While a patch is applied the
 * threads at 0 block, while it is reverted those at 1. The idle tasks of the processors block too, but /proc
 * does not show them: a transition may go on with no task left to name. Only root may read where the tasks of
 * others stand; for anyone else the answer here is null, not a list with gaps.
 *
 * A machine has tens of thousands of tasks, most of them alone in their process. How many threads there are is the
 * number of links of /proc/PID/task less two, and where there is one, /proc/PID/patch_state is its own: a third of
 * the system calls of listing.
 *
 * kGraft has /proc/PID/kgr_in_progress instead, 1 for a task that blocks; older ones of it not for each thread.
 */
import { hasKgraft } from "./kgraft.ts";
import type { LivePatch } from "./livepatch.ts";
import { type System, SystemError } from "./system.ts";

/** A thread of a process. */
export interface Thread {
  readonly pid: number;
  readonly tid: number;
}

/** How many threads have not moved yet; null where this user may not see that. */
export function countBlocking(system: System, patch: LivePatch): number | null {
  return findBlocking(system, patch)?.length ?? null;
}

/** The threads that have not moved yet, by number; null where this user may not see that. */
export function findBlocking(system: System, patch: LivePatch): readonly Thread[] | null {
  const kgraft = hasKgraft(system);
  const file = kgraft ? "kgr_in_progress" : "patch_state";
  const unmoved = patch.state === "applying" && !kgraft ? 0x30 : 0x31; // "0" or "1"
  const threads: Thread[] = [];
  try {
    for (const pid of idsIn(system, "/proc")) {
      const process = `/proc/${pid}`;
      if (isAlone(system, process)) {
        if (stateIn(system, `${process}/${file}`) === unmoved) {
          threads.push({ pid: Number(pid), tid: Number(pid) });
        }
        continue;
      }
      for (const tid of idsIn(system, `${process}/task`)) {
        let state = stateIn(system, `${process}/task/${tid}/${file}`);
        if (state === null && kgraft && tid === pid) {
          state = stateIn(system, `${process}/${file}`);
        }
        if (state === unmoved) {
          threads.push({ pid: Number(pid), tid: Number(tid) });
        }
      }
    }
  } catch (error) {
    if (error instanceof SystemError && (error.code === "EACCES" || error.code === "EPERM")) {
      return null;
    }
    throw error;
  }
  return threads.toSorted((a, b) => a.pid - b.pid || a.tid - b.tid);
}

function isAlone(system: System, process: string): boolean {
  return system.linkCount(`${process}/task`) === 3;
}

/** Names of tasks, as they stand there: of tens of thousands few are looked at any further. */
function idsIn(system: System, path: string): readonly string[] {
  try {
    return system.readDirectory(path).filter(isId); // not `self`
  } catch (error) {
    if (error instanceof SystemError) {
      return []; // it has just ended
    }
    throw error;
  }
}

function isId(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= 0x31 && first <= 0x39;
}

/** First byte of the file; null for a thread that has just ended. @throws SystemError where this user may not read it */
function stateIn(system: System, path: string): number | null {
  try {
    return system.firstByte(path);
  } catch (error) {
    if (error instanceof SystemError && error.code !== "EACCES" && error.code !== "EPERM") {
      return null;
    }
    throw error;
  }
}
