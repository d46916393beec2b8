/**
 * Why a task does not move. The kernel moves a sleeping task as soon as none of the functions that change is on its
 * stack, and every other task when it returns to user space, commit d83a7cb375ee ("livepatch: change to a per-task
 * consistency model") (in v4.12). So a task that blocks sleeps in such a function, or runs in the kernel without
 * leaving it. What helps depends on how it sleeps: a signal reaches a user task in interruptible sleep only, a
 * kernel thread never, and nobody who is stopped or frozen.
 *
 * How long it has slept: `se.exec_start` in /proc/PID/sched is when it last ran, by the scheduler's clock, and the
 * reader's own is now (kernels with CONFIG_SCHED_DEBUG).
 *
 * All that is known of a task is six files, and its stack is walked for one of them. Hundreds may block, so whether
 * they sleep, and how long, is asked for apart: two files.
 */
import type { BlockingTask } from "@kgraft/contract";
import { type LivePatch, readFunctions, readPatches } from "./livepatch.ts";
import type { Thread } from "./blocking-threads.ts";
import { type System, SystemError } from "./system.ts";
import { decodeUtf8, readText } from "./text.ts";

export type Explainer = (thread: Thread) => BlockingTask;
/** One that is frozen is seen as sleeping: only its stack tells. */
export type Glance = (thread: Thread) => Pick<BlockingTask, "kind" | "state" | "asleepMs">;

const kernelThreadFlag = 0x0020_0000; // PF_KTHREAD, include/linux/sched.h

/** Tells all that is known of the threads that block one patch. */
export function explainer(system: System, patch: LivePatch): Explainer {
  const isChanging = changingFunctions(system, patch);
  const glance = glancer(system);
  return ({ pid, tid }) => {
    const place = `/proc/${pid}/task/${tid}`;
    const stack = readStack(system, place);
    const { kind, state, asleepMs } = glance({ pid, tid });
    return {
      pid,
      tid,
      name: readText(system, `${place}/comm`)?.trim() ?? "",
      commandLine: splitWords(readText(system, `/proc/${pid}/cmdline`) ?? ""),
      stack,
      kind,
      state: isFrozen(stack) ? "frozen" : state,
      asleepMs,
      function: stack.map(functionOf).find(isChanging)?.name ?? null,
      unit: unitOf(readText(system, `/proc/${pid}/cgroup`) ?? ""),
    };
  };
}

/** The function in which a task is at work in the kernel; null where that cannot be seen. */
export function currentFunction(system: System, pid: number): string | null {
  const [entry] = readStack(system, `/proc/${pid}`);
  return entry === undefined ? null : functionOf(entry).name;
}

/** Tells of threads that block how they stand, and for how long they have. */
export function glancer(system: System): Glance {
  const nowMs = lastRanMs(system, "/proc/self");
  return ({ pid, tid }) => {
    const place = `/proc/${pid}/task/${tid}`;
    const { letter, flags } = readStat(system, place);
    const ranMs = letter === "R" ? null : lastRanMs(system, place);
    return {
      kind: (flags & kernelThreadFlag) === 0 ? "process" : "kernel-thread",
      state: stateOf(letter),
      asleepMs: nowMs === null || ranMs === null ? null : Math.max(0, nowMs - ranMs),
    };
  };
}

/** A function as a stack shows it: `name+0x1e/0xa0 [module]`. */
interface StackEntry {
  readonly name: string;
  /** null for the kernel itself. */
  readonly module: string | null;
}

function functionOf(line: string): StackEntry {
  const [, name = "", module] = /^([^+\s]+)(?:\+\S+)?(?: \[(\w+)\])?/.exec(line) ?? [];
  return { name, module: module ?? null };
}

/**
 * What the kernel looks for on a stack. While a patch is applied: the functions that it replaces, or what another
 * live patch made of them; while it is reverted: its own.
 */
function changingFunctions(system: System, patch: LivePatch): (entry: StackEntry) => boolean {
  if (patch.state === "reverting") {
    return (entry) => entry.module === patch.name;
  }
  const replaced = new Set(readFunctions(system, patch.name).map(({ object, name }) => `${object}:${name}`));
  const others = new Set(readPatches(system).flatMap(({ name }) => (name === patch.name ? [] : [name])));
  return ({ name, module }) => replaced.has(`${module ?? "vmlinux"}:${name}`) || others.has(module ?? "");
}

function readStack(system: System, place: string): readonly string[] {
  return (readText(system, `${place}/stack`) ?? "")
    .split("\n")
    .map((line) => line.replace(/^\[<[0-9a-f]+>\] /, "").trim())
    .filter((line) => line !== "");
}

/** The third and the ninth field of stat(5); the second, a name in brackets, may hold anything. */
function readStat(system: System, place: string): { readonly letter: string; readonly flags: number } {
  const text = readText(system, `${place}/stat`) ?? "";
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { letter: fields[0] ?? "", flags: Number(fields[6] ?? 0) };
}

/** By a control group or for suspend: kernel/signal.c, kernel/freezer.c. */
function isFrozen(stack: readonly string[]): boolean {
  return stack.some((line) => /^(do_freezer_trap|__refrigerator)\+/.test(line));
}

function stateOf(letter: string): BlockingTask["state"] {
  switch (letter) {
    case "R":
      return "running";
    case "D":
      return "uninterruptible";
    case "T":
    case "t":
      return "stopped";
    default:
      return "sleeping";
  }
}

/** It stands in the third line of some fifty. */
const schedBytes = 512;

function lastRanMs(system: System, place: string): number | null {
  try {
    const text = decodeUtf8(system.readBytesAt(`${place}/sched`, 0, schedBytes));
    const [, ms] = /^se\.exec_start\s*:\s*(\d+)/m.exec(text) ?? [];
    return ms === undefined ? null : Number(ms);
  } catch (error) {
    if (error instanceof SystemError) {
      return null; // it has ended, or this kernel does not tell
    }
    throw error;
  }
}

/** The unit of systemd that a process belongs to, from its control group. */
function unitOf(cgroup: string): string | null {
  const words = /^(?:0:|\d+:name=systemd):(.*)$/m.exec(cgroup)?.[1]?.split("/") ?? [];
  return words.findLast((word) => /\.(service|scope)$/.test(word)) ?? null;
}

/** Words end with a zero byte, but a process may have overwritten them with anything. */
function splitWords(commandLine: string): readonly string[] {
  const words = commandLine.replace(/\0+$/, "");
  return words === "" ? [] : words.split("\0");
}
