/**
 * Which tasks a transition still waits for. The kernel moves each thread by itself and shows where it stands in
 * /proc/PID/task/TID/patch_state: -1 outside a transition, 0 on the old functions, 1 on the new ones, commit
 * d83a7cb375ee ("livepatch: change to a per-task consistency model") (in v4.12). While a patch is applied the
 * threads at 0 block, while it is reverted those at 1. The idle tasks of the processors block too, but /proc
 * does not show them: a transition may go on with no task left to name. Only root may read where the tasks of
 * others stand; for anyone else the answer here is null, not a list with gaps.
 */
import type { BlockingTask } from "@kgraft/contract";
import type { LivePatch } from "./livepatch.ts";
import { type System, SystemError } from "./system.ts";
import { listNames, printable, readText } from "./text.ts";

interface Thread {
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
  return findBlocking(system, patch)?.map((thread) => describe(system, thread)) ?? null;
}

function findBlocking(system: System, patch: LivePatch): readonly Thread[] | null {
  const unmoved = patch.state === "applying" ? 0x30 : 0x31; // "0" or "1"
  const threads: Thread[] = [];
  for (const pid of numbersIn(system, "/proc")) {
    for (const tid of numbersIn(system, `/proc/${pid}/task`)) {
      const state = patchState(system, `/proc/${pid}/task/${tid}/patch_state`);
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

function describe(system: System, { pid, tid }: Thread): BlockingTask {
  const place = `/proc/${pid}/task/${tid}`;
  const stack = readText(system, `${place}/stack`) ?? "";
  return {
    pid,
    tid,
    name: readText(system, `${place}/comm`)?.trim() ?? "",
    commandLine: splitWords(readText(system, `/proc/${pid}/cmdline`) ?? ""),
    stack: stack
      .split("\n")
      .map((line) => line.replace(/^\[<[0-9a-f]+>\] /, "").trim())
      .filter((line) => line !== ""),
  };
}

/** Words end with a zero byte, but a process may have overwritten them with anything. */
function splitWords(commandLine: string): readonly string[] {
  const words = commandLine.replace(/\0+$/, "");
  return words === "" ? [] : words.split("\0");
}

/** One process that blocks: its first blocking thread speaks for it, as `ps` shows it. */
export function commandOf(task: BlockingTask): string {
  return printable(task.commandLine.length > 0 ? task.commandLine.join(" ") : `[${task.name}]`);
}
