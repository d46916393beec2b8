/**
 * Following a transition to its end. Whether it is over costs two small reads, so that is asked often; who is
 * left costs a walk over all threads, so that is asked only when there is someone to tell: once a second.
 */
import type { TransitionReport } from "@kgraft/contract";
import { InterruptedError, TimeLimitError } from "./errors.ts";
import { type LivePatch, patchInTransition } from "./livepatch.ts";
import type { System } from "./system.ts";
import { commandOf, countBlocking, readBlocking } from "./tasks.ts";
import { tasksLeftText } from "./text.ts";

const tellEachMs = 1000;
const longestPollMs = 100;

/** A transition is expected to end within this time; SUSE's tools wait as long. */
export const defaultTimeoutMs = 61_000;

export interface FollowOptions {
  /** Infinity for no limit. */
  readonly timeoutMs: number;
  /** Whether to tell the standard error output how many tasks are left. */
  readonly progress: boolean;
}

/**
 * Waits until no live patch is in transition.
 *
 * @returns how long that took, in milliseconds
 * @throws TimeLimitError with the tasks that block, InterruptedError; the transition goes on either way
 */
export async function followTransition(system: System, options: FollowOptions): Promise<number> {
  const startMs = system.nowMs();
  const line = progressLine(system, options.progress);
  let tellAtMs = startMs;
  for (let pollMs = 2; ; pollMs = Math.min(pollMs * 2, longestPollMs)) {
    const patch = patchInTransition(system);
    const nowMs = system.nowMs();
    if (patch === null) {
      line.end();
      return nowMs - startMs;
    }
    if (options.progress && nowMs >= tellAtMs) {
      line.show(`${patch.name}: in_progress, ${tasksLeftText(countBlocking(system, patch))}`);
      tellAtMs = system.nowMs() + tellEachMs;
    }
    const leftMs = startMs + options.timeoutMs - nowMs;
    if (leftMs <= 0 || system.interrupted()) {
      line.end();
      throw stopped(system, patch, options.timeoutMs);
    }
    await system.sleep(Math.min(pollMs, leftMs));
  }
}

function stopped(system: System, patch: LivePatch, timeoutMs: number): Error {
  const blocking = readBlocking(system, patch);
  const pids = [...new Map(blocking?.map((task) => [task.pid, commandOf(task)]))];
  const named = pids.slice(0, 5).map(([pid, command]) => `${pid} ${command.slice(0, 60)}`);
  const rest = pids.length > named.length ? `, and ${pids.length - named.length} more` : "";
  const who = named.length === 0 ? "" : `: ${named.join(", ")}${rest}`;
  const left = `${patch.name} is still ${patch.state}, ${tasksLeftText(blocking?.length ?? null)}${who}`;
  const undo = patch.state === "applying" ? `disable ${patch.name}` : `enable ${patch.name}`;
  const hint = `see why with: kgr -v -v blocking; go on waiting with: kgr wait; turn back with: kgr ${undo}`;
  return system.interrupted()
    ? new InterruptedError(`cannot go on waiting: interrupted; ${left}`, hint)
    : new TimeLimitError(`cannot wait longer than ${timeoutMs / 1000} s: ${left}`, hint);
}

interface ProgressLine {
  show(text: string): void;
  end(): void;
}

/** On a terminal one line that is written again, elsewhere a line each time that something changed. */
function progressLine(system: System, wanted: boolean): ProgressLine {
  const columns = wanted ? system.terminalColumns("err") : null;
  let last = "";
  return {
    show(text) {
      if (columns !== null) {
        system.print("err", `\r\u001b[K${text.slice(0, Math.max(columns - 1, 10))}`);
      } else if (text !== last) {
        system.print("err", `${text}\n`);
      }
      last = text;
    },
    end() {
      if (columns !== null && last !== "") {
        system.print("err", "\r\u001b[K");
      }
    },
  };
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
