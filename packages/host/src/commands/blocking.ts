import type { BlockingReport, BlockingTask } from "@kgraft/contract";
import { whatHelps, whyItBlocks } from "../advice.ts";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { NotRootError } from "../errors.ts";
import { hasKgraft } from "../kgraft.ts";
import { n, t } from "../language.ts";
import { type LivePatch, patchInTransition } from "../livepatch.ts";
import { commandOf, groupByProcess, readBlocking } from "../tasks.ts";
import { printable } from "../text.ts";

export const blockingCommand: Command = {
  name: "blocking",
  operand: null,
  options: [],
  brief: n`list the processes that a transition still waits for`,
  details: n`-v adds their command lines, -v -v also where their threads sleep in the\nkernel, why they do not move and what helps. While a transition goes on, only\nroot can see them.`,
  // oxlint-disable-next-line typescript/require-await -- commands share one shape
  async run(context: Context): Promise<number> {
    return list(context, context.dialect.blocking);
  },
};

export const blockingThreadsCommand: Command = {
  name: "blocking_threads",
  operand: null,
  options: [],
  brief: n`list them by thread: process number, thread number`,
  details: n`-v and -v -v as with blocking.`,
  // oxlint-disable-next-line typescript/require-await -- commands share one shape
  async run(context: Context): Promise<number> {
    return list(context, "both");
  },
};

/** What stands in the first column: kgr lists processes, klp threads, blocking_threads both. */
type Column = "processes" | "threads" | "both";

function list({ system, invocation, dialect }: Context, column: Column): number {
  const patch = patchInTransition(system);
  const blocking = patch === null ? [] : readBlocking(system, patch);
  if (blocking === null) {
    const message = t`cannot list blocking processes: only root may see where the tasks of others stand`;
    throw new NotRootError(message, t`type the command after: sudo`);
  }
  const { json, verbosity } = invocation;
  if (json) {
    printJson(system, { blocking } satisfies BlockingReport);
  } else if (patch === null || blocking.length === 0) {
    printLines(system, verbosity > 0 ? [dialect.nothingBlocks] : []);
  } else {
    // kGraft's kernel does not tell why: there each task has to cross into user space.
    const explained = hasKgraft(system) ? null : patch;
    const groups =
      column === "processes" ? groupByProcess(blocking) : blocking.map((task) => [task] as const);
    printLines(
      system,
      groups.flatMap((tasks) => linesOf(tasks, column, verbosity, explained)),
    );
  }
  return 0;
}

function linesOf(
  tasks: readonly [BlockingTask, ...BlockingTask[]],
  column: Column,
  verbosity: number,
  patch: LivePatch | null,
): readonly string[] {
  const [first] = tasks;
  const numbers = { processes: `${first.pid}`, threads: `${first.tid}`, both: `${first.pid} ${first.tid}` };
  const lines = [verbosity > 0 ? `${numbers[column]} ${commandOf(first)}` : numbers[column]];
  for (const task of verbosity > 1 ? tasks : []) {
    const stack = task.stack.length > 0 ? task.stack : [t`(stack cannot be read)`];
    const why = patch === null ? "" : `: ${whyItBlocks(task)}`;
    lines.push(
      `    thread ${task.tid} ${printable(task.name)}${printable(why)}`,
      ...(patch === null ? [] : [`        ${printable(whatHelps(task, patch))}`]),
      ...stack.map((at) => `        ${printable(at)}`),
    );
  }
  return lines;
}
