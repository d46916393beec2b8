/** The tasks that a transition still waits for, with all that is known of each. */
import type { BlockingTask } from "@kgraft/contract";
import { type Explainer, explainer } from "./blocker.ts";
import { findBlocking } from "./blocking-threads.ts";
import type { LivePatch } from "./livepatch.ts";
import type { System } from "./system.ts";
import { printable } from "./text.ts";

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
