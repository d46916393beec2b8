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
 *
 * A kgr that is killed right then would leave them frozen. So the group is noted before, and the next kgr that wakes or
 * waits gives back what it finds noted.
 *
 * A service may have hundreds that sleep in one function. To make a group, freeze it, thaw it and remove it costs more
 * than to move a process there and back, so all that are in one group are woken together.
 */
import type { BlockingTask } from "@kgraft/contract";
import { recordDirectory } from "./manifest-file.ts";
import { type System, SystemError } from "./system.ts";
import { readText } from "./text.ts";

const ownGroup = "kgr";
/** Names the group in which processes are frozen and thawed just now. */
const noteFile = `${recordDirectory}/frozen`;
const dissolvingMs = 1000;
const pauseMs = 20;

/** How a process was woken; null where it could not be. */
export type Means = "freeze" | "stop" | null;

/** Whether waking can reach a task: not one that is deaf to signals, a kernel thread, or held by someone else. */
export function canBeNudged(task: Pick<BlockingTask, "kind" | "state">): boolean {
  return task.kind === "process" && (task.state === "sleeping" || task.state === "running");
}

/** Wakes processes without a trace that they could see, where the machine has control groups v2. @returns those */
export async function nudge(system: System, pids: readonly number[]): Promise<ReadonlySet<number>> {
  const mounts = readText(system, "/proc/mounts", 1 << 20) ?? "";
  const top = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
  const woken = new Set<number>();
  for (const [group, members] of top === undefined ? [] : byGroup(system, top, pids)) {
    for (const pid of await freezeAndThaw(system, members, group)) {
      woken.add(pid);
    }
  }
  return woken;
}

/** Wakes processes, with kGraft's own means where there is no gentler one. */
export async function poke(system: System, pids: readonly number[]): Promise<ReadonlyMap<number, Means>> {
  const woken = await nudge(system, pids);
  return new Map(
    pids.map((pid) => [pid, woken.has(pid) ? "freeze" : stopAndContinue(system, pid) ? "stop" : null]),
  );
}

/** Thaws and gives back what a kgr that was killed has left frozen. Nothing is left of it when no note is there. */
export async function thawLeftOver(system: System): Promise<void> {
  const own = readText(system, noteFile)?.trim() ?? "";
  if (!own.endsWith(`/${ownGroup}`)) {
    return;
  }
  if (system.exists(own)) {
    if (!write(system, `${own}/cgroup.freeze`, "0")) {
      return; // only root can
    }
    await dissolve(system, own, own.slice(0, -ownGroup.length - 1));
  }
  forget(system);
}

/** Where it cannot be noted, on a full or read-only /run, all goes on without. */
function note(system: System, own: string): void {
  try {
    system.makeDirectory(recordDirectory);
    system.replaceFile(noteFile, `${own}\n`);
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
  }
}

function forget(system: System): void {
  try {
    system.removeFile(noteFile);
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
  }
}

/** The processes by the directory of their control group, without those that are in none that can be seen from here. */
function byGroup(
  system: System,
  top: string,
  pids: readonly number[],
): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>();
  for (const pid of pids) {
    const shown = /^0::(\/.*)$/m.exec(readText(system, `/proc/${pid}/cgroup`) ?? "")?.[1];
    if (shown !== undefined && !shown.includes("/..") && !shown.endsWith(" (deleted)")) {
      // One that was killed before it moved them back has left its own group.
      const group = top + (shown.endsWith(`/${ownGroup}`) ? shown.slice(0, -ownGroup.length - 1) : shown);
      const path = group.replace(/\/$/, "");
      const members = groups.get(path) ?? [];
      members.push(pid);
      groups.set(path, members);
    }
  }
  return groups;
}

/** @returns those that were woken: not one that ended, nor any where the group takes no group below */
async function freezeAndThaw(
  system: System,
  pids: readonly number[],
  group: string,
): Promise<readonly number[]> {
  const own = `${group}/${ownGroup}`;
  try {
    system.makeDirectory(own);
    note(system, own);
    try {
      const moved = pids.filter((pid) => write(system, `${own}/cgroup.procs`, `${pid}`));
      try {
        system.writeFile(`${own}/cgroup.freeze`, "1");
      } finally {
        system.writeFile(`${own}/cgroup.freeze`, "0");
      }
      return moved;
    } finally {
      await dissolve(system, own, group);
      forget(system);
    }
  } catch (error) {
    if (error instanceof SystemError) {
      return [];
    }
    throw error;
  }
}

/**
 * Gives back the processes of a group, and those that they started in it meanwhile, and removes it. One that is just
 * ending cannot be moved any more, and keeps the group until it has ended; at worst the group stays, empty.
 */
async function dissolve(system: System, own: string, group: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    const pids = readText(system, `${own}/cgroup.procs`, 1 << 20)?.split("\n") ?? [];
    for (const pid of pids.filter((word) => word !== "")) {
      write(system, `${group}/cgroup.procs`, pid);
    }
    try {
      system.removeDirectory(own);
      return;
    } catch (error) {
      if (!(error instanceof SystemError)) {
        throw error;
      }
    }
    if (waitedMs >= dissolvingMs) {
      return;
    }
    await system.sleep(pauseMs);
  }
}

/** Whether that was taken: not of a process that has ended, nor by a group that takes none, nor from who is not root. */
function write(system: System, file: string, text: string): boolean {
  try {
    system.writeFile(file, text);
    return true;
  } catch (error) {
    if (error instanceof SystemError) {
      return false;
    }
    throw error;
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
