/**
 * Which tasks a transition still waits for. The kernel moves each thread by itself and shows where it stands in
 * /proc/PID/task/TID/patch_state: -1 outside a transition, 0 on the old functions, 1 on the new ones, commit
 * d83a7cb375ee ("livepatch: change to a per-task consistency model") (in v4.12). While a patch is applied the
 * threads at 0 block, while it is reverted those at 1. The idle tasks of the processors block too, but /proc
 * does not show them: a transition may go on with no task left to name. Only root may read where the tasks of
 * others stand; for anyone else the answer here is null, not a list with gaps.
 *
 * kGraft has /proc/PID/kgr_in_progress instead, 1 for a task that blocks; older ones of it not for each thread.
 */
import type { BlockingTask } from "@kgraft/contract";
import { type Explainer, explainer } from "./blocker.ts";
import { hasKgraft } from "./kgraft.ts";
import type { LivePatch } from "./livepatch.ts";
import { type System, SystemError } from "./system.ts";
import { listNames, printable } from "./text.ts";

/** A thread of a process. */
export interface Thread {
  readonly pid: number;
  readonly tid: number;
}

/** How many threads have not moved yet; null where this user may not see that. */
export function countBlocking(system: System, patch: LivePatch): number | null {
  return findBlocking(system, patch)?.length ?? null;
}

/**
 * The threads that have not moved yet, by process and thread number, with all that is known of each; null where
 * this user may not see that.
 */
export function readBlocking(system: System, patch: LivePatch): readonly BlockingTask[] | null {
  const threads = findBlocking(system, patch);
  if (threads === null || threads.length === 0) {
    return threads === null ? null : [];
  }
  const explain: Explainer = explainer(system, patch);
  return threads.map(explain);
}

/** The threads that have not moved yet; null where this user may not see that. */
export function findBlocking(system: System, patch: LivePatch): readonly Thread[] | null {
  const kgraft = hasKgraft(system);
  const file = kgraft ? "kgr_in_progress" : "patch_state";
  const unmoved = patch.state === "applying" && !kgraft ? 0x30 : 0x31; // "0" or "1"
  const threads: Thread[] = [];
  for (const pid of numbersIn(system, "/proc")) {
    for (const tid of numbersIn(system, `/proc/${pid}/task`)) {
      let state = patchState(system, `/proc/${pid}/task/${tid}/${file}`);
      if (state === undefined && kgraft && tid === pid) {
        state = patchState(system, `/proc/${pid}/${file}`);
      }
      if (state === "hidden") {
        return null;
      }
      if (state === unmoved) {
        threads.push({ pid, tid });
      }
    }
  }
  return threads;
}

function numbersIn(system: System, path: string): readonly number[] {
  return listNames(system, path)
    .filter((name) => /^[1-9]\d{0,9}$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** First byte of the file; a thread that ended in between has none. */
function patchState(system: System, path: string): number | "hidden" | undefined {
  try {
    return system.readBytes(path, 16)[0];
  } catch (error) {
    return error instanceof SystemError && ["EACCES", "EPERM"].includes(error.code) ? "hidden" : undefined;
  }
}

/** One process that blocks: its first blocking thread speaks for it, as `ps` shows it. */
export function commandOf(task: Pick<BlockingTask, "commandLine" | "name">): string {
  return printable(task.commandLine.length > 0 ? task.commandLine.join(" ") : `[${task.name}]`);
}

/** The threads of each process together; no group is empty. */
export function groupByProcess(
  blocking: readonly BlockingTask[],
): readonly (readonly [BlockingTask, ...BlockingTask[]])[] {
  const groups = new Map<number, [BlockingTask, ...BlockingTask[]]>();
  for (const task of blocking) {
    const group = groups.get(task.pid);
    if (group === undefined) {
      groups.set(task.pid, [task]);
    } else {
      group.push(task);
    }
  }
  return [...groups.values()];
}
