/**
 * Putting modules into the kernel and out of it, with the machine's own insmod and rmmod (kmod's or busybox's).
 * "Busy" is waited out, with a bound: the kernel answers it for a moment while another transition ends, and for
 * as long as it takes to let go of a disabled patch's module, which happens in the background, commit
 * 958ef1e39d24 ("livepatch: Simplify API by removing registration step") (in v5.1).
 */
import { currentFunction } from "./blocker.ts";
import { InterruptedError, KernelRefusedError } from "./errors.ts";
import { n, t, translate } from "./language.ts";
import { findProgram } from "./programs.ts";
import { type Progress, progressOn } from "./progress.ts";
import { type System, SystemError } from "./system.ts";
import { printable } from "./text.ts";

const pauseMs = 250;
const quietMs = 1000;
/** A busy machine may take minutes (docs/limits.md), and what has begun in the kernel cannot be ended. */
const runLimitMs = 600_000;

/** What the C library says for an error number, and what that means here. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [
    /Required key not available|Key was rejected/,
    n`the kernel wants a signature by a key that it knows: see kgr(1)`,
  ],
  [/Operation not permitted/, n`module loading is locked down: see /proc/sys/kernel/modules_disabled`],
  [/Invalid module format/, n`the module is for another kernel, or damaged; dmesg tells more`],
  [/Unknown symbol|No such file/, n`the module needs a symbol that this kernel lacks; dmesg tells more`],
  [/No such device/, n`the kernel cannot replace a function that the patch names; dmesg tells more`],
  [/Cannot allocate memory/, n`the machine has no memory left; free some and try again`],
];

/** A module's file, and the name that it gets in the kernel. */
export interface ModuleToInsert {
  readonly path: string;
  readonly name: string;
}

/**
 * Loads a module; "busy" is retried for that long. Where it was interrupted too late it is loaded all the same, and
 * that is no error.
 *
 * @throws KernelRefusedError, MissingProgramError, InterruptedError: then it is not loaded
 */
export async function insertModule(
  system: System,
  { path, name }: ModuleToInsert,
  busyMs: number,
  progress: Progress = progressOn(system, false),
): Promise<void> {
  const task = { action: n`insert`, what: path, name, program: [...findProgram(system, "insmod"), path] };
  await untilNotBusy(system, task, { busyMs, progress, isDone: () => isLoaded(system, name) });
}

/**
 * Removes a module; "busy" is retried for that long. Interrupted too late, as with {@link insertModule}.
 *
 * @throws KernelRefusedError, MissingProgramError, InterruptedError: then it is still loaded
 */
export async function removeModule(
  system: System,
  name: string,
  busyMs: number,
  progress: Progress = progressOn(system, false),
): Promise<void> {
  const task = { action: n`remove`, what: name, name, program: [...findProgram(system, "rmmod"), name] };
  await untilNotBusy(system, task, { busyMs, progress, isDone: () => !isLoaded(system, name) });
}

/** Whether a module of that name is loaded, live patch or not. */
export function isLoaded(system: System, name: string): boolean {
  return system.exists(`/sys/module/${name}/refcnt`);
}

interface Task {
  readonly action: string;
  readonly what: string;
  readonly name: string;
  readonly program: readonly string[];
}

interface Limits {
  readonly busyMs: number;
  readonly progress: Progress;
  /** Whether the kernel has done it. */
  readonly isDone: () => boolean;
}

async function untilNotBusy(system: System, task: Task, { busyMs, progress, isDone }: Limits): Promise<void> {
  const { action, what, name, program } = task;
  const startMs = system.nowMs();
  const newMessages = livepatchMessages(system);
  for (;;) {
    const result = await system.run(program, runLimitMs, { onWait: showing(system, task, progress) });
    progress.end();
    if (result.kind === "exited" && result.status === 0) {
      return;
    }
    const said = printable(result.output.trim());
    const logged = newMessages();
    if (system.interrupted()) {
      if (isDone()) {
        return;
      }
      throw new InterruptedError(
        t`cannot ${translate(action)} ${what}: interrupted`,
        t`type: kgr -v patches`,
      );
    }
    const busy = /Device or resource busy|Resource temporarily unavailable|is in use/.test(said);
    // What another user of the function holds does not pass by waiting.
    const taken = logged.some((message) => /failed to register ftrace handler/.test(message));
    if (!busy || taken || system.nowMs() - startMs >= busyMs) {
      const meaning = meanings.find(([pattern]) => pattern.test(said))?.[1] ?? n`see the end of dmesg`;
      const hint = logged[0] ?? translate(meaning);
      const why =
        result.kind === "timeout" ? t`no answer after ${runLimitMs / 1000} s` : said || t`no reason given`;
      throw new KernelRefusedError(t`cannot ${translate(action)} ${what}: ${why}`, hint);
    }
    const elapsedMs = system.nowMs() - startMs;
    if (elapsedMs >= quietMs) {
      progress.busy(name, t`the kernel is busy, trying again`, { elapsedMs, where: null });
    }
    await system.sleep(pauseMs);
  }
}

/** Tells what a program that runs long waits for, and once that an interrupt waits as well. */
function showing(
  system: System,
  { name, program }: Task,
  progress: Progress,
): (pid: number, elapsedMs: number) => void {
  let told = false;
  return (pid, elapsedMs) => {
    if (system.interrupted() && !told) {
      told = true;
      progress.tell(t`kgr: interrupted; what the kernel has begun it carries through first`);
    }
    const where = currentFunction(system, pid);
    progress.busy(name, t`${tool(program)} is at work in the kernel`, { elapsedMs, where });
  };
}

/** `insmod`, be it busybox's. */
function tool(program: readonly string[]): string {
  return program.at(-2)?.split("/").at(-1) ?? "";
}

/** What live patching says as it goes along; what else it says is why it stopped. */
const wayMarks = /^livepatch: (enabling patch |'\w+': )/;

/** What live patching complains of in the kernel's log from here on: `3,345,1905282,-;livepatch: failed to ...`. */
function livepatchMessages(system: System): () => readonly string[] {
  try {
    const newMessages = system.newKernelMessages();
    return () =>
      newMessages()
        .map((message) => message.slice(message.indexOf(";") + 1).split("\n")[0]!) // split gives at least one
        .filter((message) => message.startsWith("livepatch: ") && !wayMarks.test(message));
  } catch (error) {
    if (error instanceof SystemError) {
      return () => [];
    }
    throw error;
  }
}
