/**
 * The tasks that do not move by themselves. Most move within milliseconds; the kernel looks again at those that
 * sleep each second, and wakes them after 15 s. A task that was seen blocking twice and has not run in between
 * sleeps in a function that changes: waiting for it is waiting for what it waits for. It is woken at once, a few
 * times at most, and if it still does not move, it is told who it is, why it blocks, and what helps.
 */
import type { BlockingTask } from "@kgraft/contract";
import { whatHelps, whyItBlocks } from "./advice.ts";
import type { LivePatch } from "./livepatch.ts";
import { canBeNudged, nudge } from "./nudge.ts";
import type { System } from "./system.ts";
import { commandOf } from "./tasks.ts";
import { printable } from "./text.ts";

const asleepAtLeastMs = 200;
const mostNudges = 3;
/** A nudged task moves at once, and the kernel sees that within a second. */
const tellAfterMs = 2500;
const mostTold = 5;

interface Seen {
  readonly firstMs: number;
  nudges: number;
  told: boolean;
}

/** Called with the tasks that block, about each second. */
export type Watch = (patch: LivePatch, blocking: readonly BlockingTask[]) => void;

export function watchStubborn(
  system: System,
  options: { readonly nudge: boolean; readonly tell: (line: string) => void },
): Watch {
  let transition = "";
  let told = 0;
  let seen = new Map<number, Seen>();
  return (patch, blocking) => {
    const nowMs = system.nowMs();
    if (transition !== `${patch.name} ${patch.state}`) {
      transition = `${patch.name} ${patch.state}`;
      told = 0;
      seen = new Map();
    }
    const nudged = new Set<number>();
    for (const task of blocking) {
      const known = seen.get(task.tid);
      if (known === undefined) {
        seen.set(task.tid, { firstMs: nowMs, nudges: 0, told: false });
        continue;
      }
      const sleeps = task.state === "sleeping" && (task.asleepMs ?? Infinity) >= asleepAtLeastMs;
      if (options.nudge && sleeps && canBeNudged(task) && known.nudges < mostNudges) {
        known.nudges += 1;
        if (!nudged.has(task.pid)) {
          nudged.add(task.pid);
          nudge(system, task.pid);
        }
      }
      if (!known.told && nowMs - known.firstMs >= tellAfterMs && told < mostTold) {
        known.told = true;
        told += 1;
        options.tell(printable(`${task.pid} ${commandOf(task).slice(0, 60)}: ${whyItBlocks(task)}`));
        options.tell(`     ${printable(whatHelps(task, patch))}`);
      }
    }
  };
}
