/** A blocking task in words: why it does not move, and what an administrator can do about it. */
import type { BlockingTask } from "@kgraft/contract";
import { t } from "./language.ts";
import type { LivePatch } from "./livepatch.ts";

/** Why it does not move, such as `sleeps in ext4_sync_file for 93 s, deaf to signals`. */
export function whyItBlocks(task: BlockingTask): string {
  const where = task.function === null ? t`in the kernel` : t`in ${task.function}`;
  const since = task.asleepMs === null ? "" : t` for ${durationText(task.asleepMs)}`;
  const who = task.kind === "kernel-thread" ? t`kernel thread, ` : "";
  switch (task.state) {
    case "running":
      return t`${who}runs in the kernel and has not left it`;
    case "sleeping":
      return t`${who}sleeps ${where}${since}`;
    case "uninterruptible":
      return t`${who}sleeps ${where}${since}, deaf to signals`;
    case "stopped":
      return t`${who}is stopped ${where}${since}`;
    case "frozen":
      return t`${who}is frozen ${where}${since}`;
  }
}

/** What to do about it. */
export function whatHelps(task: BlockingTask, patch: LivePatch): string {
  const back = t`turn back with: kgr ${patch.state === "applying" ? "disable" : "enable"} ${patch.name}`;
  const restart = task.unit === null ? "" : t`restart ${task.unit}, or `;
  switch (task.state) {
    case "running":
      return task.kind === "process"
        ? t`wait: it moves when it returns to user space; or ${back}`
        : t`wait: it moves when it sleeps outside of that function; or ${back}`;
    case "stopped":
      return t`let it run with: kill -CONT ${task.pid}`;
    case "frozen":
      return t`thaw its control group: see /proc/${task.pid}/cgroup`;
    case "uninterruptible":
      return t`free what it waits for (a disk, a server), or ${restart}${back}`;
    case "sleeping":
      return task.kind === "process"
        ? t`wake it with: kgr poke; or ${restart}${back}`
        : t`nothing wakes it but its own work (the kernel tries each 15 s); or ${back}`;
  }
}

/** `850 ms`, `12 s`, `3 min`, `2 h`: two figures are enough. */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) {
    return t`${Math.round(durationMs)} ms`;
  }
  const seconds = Math.floor(durationMs / 1000);
  if (seconds < 120) {
    return t`${seconds} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? t`${minutes} min` : t`${Math.floor(minutes / 60)} h`;
}
