/**
 * The tasks that do not move by themselves. Most move within milliseconds; the kernel looks again at those that
 * sleep each second, and wakes them after 15 s. A task that was seen blocking twice and has not run in between
 * sleeps in a function that changes: waiting for it is waiting for what it waits for. It is woken at once, a few
 * times at most, and if it still does not move, it is told who it is, why it blocks, and what helps.
 *
 * Hundreds may sleep in one function, so no more is read of each than is needed: nothing while it is new or has been
 * woken often enough, how it sleeps before it is woken, and all of it for the few that are told of.
 */
import type { BlockingTask } from "@kgraft/contract";
import { whatHelps, whyItBlocks } from "./advice.ts";
import { explainer, glancer } from "./blocker.ts";
import type { Thread } from "./blocking-threads.ts";
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

/** Called with the threads that block, about each second. */
export type Watch = (patch: LivePatch, blocking: readonly Thread[]) => Promise<void>;

export function watchStubborn(
  system: System,
  options: { readonly nudge: boolean; readonly tell: (line: string) => void },
): Watch {
  let transition = "";
  let told = 0;
  let seen = new Map<number, Seen>();
  return async (patch, blocking) => {
    const nowMs = system.nowMs();
    if (transition !== `${patch.name} ${patch.state}`) {
      transition = `${patch.name} ${patch.state}`;
      told = 0;
      seen = new Map();
    }
    const again: [Thread, Seen][] = [];
    for (const thread of blocking) {
      const known = seen.get(thread.tid);
      if (known === undefined) {
        seen.set(thread.tid, { firstMs: nowMs, nudges: 0, told: false });
      } else {
        again.push([thread, known]);
      }
    }
    // 1. Those that sleep are woken together.
    const wakeable = again.filter(([, known]) => options.nudge && known.nudges < mostNudges);
    if (wakeable.length > 0) {
      await nudge(system, asleep(system, wakeable));
    }
    // 2. Those that have had the time to move are told, a few of them.
    const due = again.filter(([, known]) => !known.told && nowMs - known.firstMs >= tellAfterMs);
    for (const [thread, known] of due.slice(0, mostTold - told)) {
      known.told = true;
      told += 1;
      tell(explainer(system, patch)(thread), patch, options.tell);
    }
  };
}

/** The processes of those that sleep, each once; their threads are noted to have been woken. */
function asleep(system: System, threads: readonly (readonly [Thread, Seen])[]): readonly number[] {
  const pids = new Set<number>();
  const glance = glancer(system);
  for (const [thread, known] of threads) {
    const task = glance(thread);
    if (task.state === "sleeping" && (task.asleepMs ?? Infinity) >= asleepAtLeastMs && canBeNudged(task)) {
      known.nudges += 1;
      pids.add(thread.pid);
    }
  }
  return [...pids];
}

function tell(task: BlockingTask, patch: LivePatch, say: (line: string) => void): void {
  say(printable(`${task.pid} ${commandOf(task).slice(0, 60)}: ${whyItBlocks(task)}`));
  say(`     ${printable(whatHelps(task, patch))}`);
}
