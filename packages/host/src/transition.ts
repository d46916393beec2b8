/**
 * Following a transition to its end. Whether it is over costs two small reads, so that is asked often; who is
 * left costs a walk over all threads, so that is asked at once, a moment later, and then once a second.
 *
 * At the time limit three things can be right. Report: the transition goes on, an administrator decides. Wait: it
 * will end when it ends. Reverse: the machine goes back to what it was, as kpatch does it.
 */
import type { TransitionReport } from "@kgraft/contract";
import { explainer } from "./blocker.ts";
import { countBlocking, findBlocking } from "./blocking-threads.ts";
import { InterruptedError, ReversedError, TimeLimitError } from "./errors.ts";
import { hasKgraft } from "./kgraft.ts";
import { t } from "./language.ts";
import { type LivePatch, patchInTransition, readPatch, setEnabled } from "./livepatch.ts";
import { thawLeftOver } from "./nudge.ts";
import { defaultPolicy, type Policy } from "./policy.ts";
import { type Progress, progressOn } from "./progress.ts";
import { watchStubborn } from "./stubborn.ts";
import { type System, SystemError } from "./system.ts";
import { commandOf } from "./tasks.ts";
import { tasksLeftText } from "./text.ts";

const secondLookMs = 250;
const lookEachMs = 1000;
const longestPollMs = 100;

export interface FollowOptions {
  /** Infinity for no limit. */
  readonly timeoutMs: number;
  readonly onTimeout: Policy["onTimeout"];
  /** Whether tasks that sleep in a function that changes are woken. */
  readonly nudge: boolean;
  /** Whether to tell the standard error output how it goes. */
  readonly progress: boolean;
}

/**
 * Waits until no live patch is in transition.
 *
 * @returns how long that took, in milliseconds
 * @throws TimeLimitError with the tasks that block, InterruptedError: then the transition goes on
 * @throws ReversedError: then the patch is back where it was
 */
export async function followTransition(system: System, options: FollowOptions): Promise<number> {
  const startMs = system.nowMs();
  const progress = progressOn(system, options.progress);
  let limitMs = options.timeoutMs;
  await thawLeftOver(system);
  for (;;) {
    const stuck = await waitUntil(system, startMs + limitMs, options, progress);
    if (stuck === null) {
      return system.nowMs() - startMs;
    }
    if (system.interrupted() || options.onTimeout === "report" || hasKgraft(system)) {
      throw stopped(system, stuck, limitMs);
    }
    if (options.onTimeout === "reverse") {
      await reverse(system, stuck, options);
      continue;
    }
    progress.tell(t`kgr: ${limitMs / 1000} s have passed; waiting on, end that with Ctrl-C`);
    limitMs = Infinity;
  }
}

/** Waits, and tells how it goes. @returns the patch that is still in transition then, null for none */
async function waitUntil(
  system: System,
  deadlineMs: number,
  options: FollowOptions,
  progress: Progress,
): Promise<LivePatch | null> {
  const watch = watchStubborn(system, { nudge: options.nudge, tell: (line) => progress.tell(line) });
  let lookAtMs = system.nowMs();
  let looks = 0;
  for (let pollMs = 2; ; pollMs = Math.min(pollMs * 2, longestPollMs)) {
    const patch = patchInTransition(system);
    if (patch !== null && system.nowMs() >= lookAtMs && (options.progress || options.nudge)) {
      const blocking = findBlocking(system, patch);
      await watch(patch, blocking ?? []);
      progress.show(patch.name, blocking?.length ?? null);
      lookAtMs = system.nowMs() + (looks++ === 0 ? secondLookMs : lookEachMs);
    }
    const leftMs = deadlineMs - system.nowMs();
    if (patch === null || leftMs <= 0 || system.interrupted()) {
      progress.end();
      return patch;
    }
    await system.sleep(Math.min(pollMs, leftMs));
  }
}

/** Turns a transition round and waits for that: not by the time limit of what was asked for, this is the way out. */
async function reverse(system: System, patch: LivePatch, options: FollowOptions): Promise<void> {
  const why = stopped(system, patch, options.timeoutMs);
  if (readPatch(system, patch.name)?.state !== patch.state) {
    return; // it ended by itself a moment before
  }
  try {
    setEnabled(system, patch.name, patch.state === "reverting");
  } catch (error) {
    throw error instanceof SystemError ? why : error;
  }
  const timeoutMs = Math.max(options.timeoutMs, defaultPolicy.transitionTimeoutMs);
  await followTransition(system, { ...options, timeoutMs, onTimeout: "report" });
  const now = patch.state === "applying" ? "off" : t`in force`;
  throw new ReversedError(
    t`${why.message}; it was turned back and is ${now} again`,
    t`free what these tasks wait for, or restart them, and try again`,
  );
}

function stopped(system: System, patch: LivePatch, timeoutMs: number): Error {
  const blocking = findBlocking(system, patch);
  const processes = [...new Map(blocking?.map((thread) => [thread.pid, thread])).values()];
  const named = processes
    .slice(0, 5)
    .map(explainer(system, patch))
    .map((task) => `${task.pid} ${commandOf(task).slice(0, 60)}`);
  const rest = processes.length > named.length ? t`, and ${processes.length - named.length} more` : "";
  const who = named.length === 0 ? "" : `: ${named.join(", ")}${rest}`;
  const left = t`${patch.name} is still ${patch.state}, ${tasksLeftText(blocking?.length ?? null)}${who}`;
  const undo = patch.state === "applying" ? `disable ${patch.name}` : `enable ${patch.name}`;
  const hint = t`see why with: kgr -v -v blocking; go on waiting with: kgr wait; turn back with: kgr ${undo}`;
  return system.interrupted()
    ? new InterruptedError(t`cannot go on waiting: interrupted; ${left}`, hint)
    : new TimeLimitError(t`cannot wait longer than ${timeoutMs / 1000} s: ${left}`, hint);
}

/** What a command that changed something, or waited, says with `--json`. */
export function transitionReport(
  system: System,
  action: TransitionReport["action"],
  patch: string | null,
  waitedMs: number,
): TransitionReport {
  const current = patchInTransition(system);
  return {
    action,
    patch,
    state: current === null ? "ready" : "in_progress",
    waitedMs: Math.round(waitedMs),
    tasksLeft: current === null ? 0 : countBlocking(system, current),
  };
}
