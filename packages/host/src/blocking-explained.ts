/** The tasks that block, with their command lines, where they sleep, why they do not move, and what helps. */
import type { BlockingReport, BlockingTask } from "@kgraft/contract";
import { whatHelps, whyItBlocks } from "./advice.ts";
import { explainer } from "./blocker.ts";
import type { Thread } from "./blocking-threads.ts";
import { type Context, printJson, printLines } from "./command.ts";
import type { Column } from "./commands/blocking.ts";
import { hasKgraft } from "./kgraft.ts";
import { t } from "./language.ts";
import type { LivePatch } from "./livepatch.ts";
import { commandOf, groupByProcess } from "./tasks.ts";
import { printable } from "./text.ts";

/** Prints them as lines, by the verbosity that was asked for, or as JSON; no patch has none. */
export function explain(
  { system, invocation }: Context,
  column: Column,
  patch: LivePatch | null,
  threads: readonly Thread[],
): void {
  const blocking = patch === null ? [] : threads.map(explainer(system, patch));
  const { json, verbosity } = invocation;
  if (json) {
    printJson(system, { blocking } satisfies BlockingReport);
    return;
  }
  // kGraft's kernel does not tell why: there each task has to cross into user space.
  const explained = hasKgraft(system) ? null : patch;
  const groups = column === "processes" ? groupByProcess(blocking) : blocking.map((task) => [task] as const);
  printLines(
    system,
    groups.flatMap((tasks) => linesOf(tasks, column, verbosity, explained)),
  );
}

function linesOf(
  tasks: readonly [BlockingTask, ...BlockingTask[]],
  column: Column,
  verbosity: number,
  patch: LivePatch | null,
): readonly string[] {
  const [first] = tasks;
  const numbers = { processes: `${first.pid}`, threads: `${first.tid}`, both: `${first.pid} ${first.tid}` };
  const lines = [`${numbers[column]} ${commandOf(first)}`];
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
