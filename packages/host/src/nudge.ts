/**
 * Waking a user task that sleeps in a patched function, so that it leaves it. The kernel does that after 15 s by a
 * signal that is none: the task leaves its sleep as for a signal, finds that there is none, and its system call is
 * begun anew, commit 8df1947c71ee ("livepatch: Replace the fake signal sending with TIF_NOTIFY_SIGNAL
 * infrastructure") (in v5.14). From user space, measured on 6.1 (test/transition.test.ts):
 *
 *     reading /proc, signal 0, another processor      the task does not notice
 *     SIGCONT, SIGURG, SIGWINCH without a handler     dropped before they wake it
 *     control group frozen and thawed                 as the kernel's own: no signal, no parent is told
 *     SIGSTOP, SIGCONT                                as well, but a parent may be told, and a handler of SIGCONT runs
 *     a kernel thread                                 nothing reaches it
 *
 * So a process is moved into a control group of its own below the one it is in, that is frozen and thawed, and the
 * process moved back. Between freezing and thawing there is one system call. A group below keeps the one above in
 * use, so systemd sees no service end. Where there is no control group v2, SIGSTOP and SIGCONT are kGraft's way; it
 * is taken only when an administrator asks for it.
 */
import type { BlockingTask } from "@kgraft/contract";
import { type System, SystemError } from "./system.ts";
import { readText } from "./text.ts";

const ownGroup = "kgr";

/** How a process was woken; null where it could not be. */
export type Means = "freeze" | "stop" | null;

/** Whether waking can reach a task: not one that is deaf to signals, a kernel thread, or held by someone else. */
export function canBeNudged(task: Pick<BlockingTask, "kind" | "state">): boolean {
  return task.kind === "process" && (task.state === "sleeping" || task.state === "running");
}

/** Wakes a process without a trace that it could see, where the machine has control groups v2. */
export function nudge(system: System, pid: number): Means {
  const group = controlGroup(system, pid);
  return group !== null && freezeAndThaw(system, pid, group) ? "freeze" : null;
}

/** Wakes a process, with kGraft's own means where there is no gentler one. */
export function poke(system: System, pid: number): Means {
  return nudge(system, pid) ?? (stopAndContinue(system, pid) ? "stop" : null);
}

/** Directory of the process's control group; null where it is in none of version 2 that can be seen from here. */
function controlGroup(system: System, pid: number): string | null {
  const mounts = readText(system, "/proc/mounts", 1 << 20) ?? "";
  const top = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
  const group = /^0::(\/.*)$/m.exec(readText(system, `/proc/${pid}/cgroup`) ?? "")?.[1];
  return top === undefined || group === undefined || group.includes("/..") || group.endsWith(" (deleted)")
    ? null
    : `${top}${group === "/" ? "" : group}`;
}

function freezeAndThaw(system: System, pid: number, group: string): boolean {
  const own = `${group}/${ownGroup}`;
  try {
    system.makeDirectory(own);
    try {
      system.writeFile(`${own}/cgroup.procs`, `${pid}`);
      system.writeFile(`${own}/cgroup.freeze`, "1");
    } finally {
      system.writeFile(`${own}/cgroup.freeze`, "0");
      dissolve(system, own, group);
    }
    return true;
  } catch (error) {
    if (error instanceof SystemError) {
      return false; // it ended, or its group takes no processes or no group below
    }
    throw error;
  }
}

/** Gives back the processes of a group, and those that they started in it meanwhile, and removes it. */
function dissolve(system: System, own: string, group: string): void {
  for (let round = 0; round < 10; round++) {
    const pids = readText(system, `${own}/cgroup.procs`)?.split("\n") ?? [];
    for (const pid of pids.filter((word) => word !== "")) {
      try {
        system.writeFile(`${group}/cgroup.procs`, pid);
      } catch (error) {
        if (!(error instanceof SystemError)) {
          throw error; // otherwise it ended
        }
      }
    }
    try {
      system.removeDirectory(own);
      return;
    } catch (error) {
      if (!(error instanceof SystemError)) {
        throw error; // otherwise another came in, or one is just ending
      }
    }
  }
}

function stopAndContinue(system: System, pid: number): boolean {
  try {
    system.signal(pid, "STOP");
    system.signal(pid, "CONT");
    return true;
  } catch (error) {
    if (error instanceof SystemError) {
      return false;
    }
    throw error;
  }
}
