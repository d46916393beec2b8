import { findBlocking, type Thread } from "../blocking-threads.ts";
import { type Command, type Context, printLines } from "../command.ts";
import { NotRootError } from "../errors.ts";
import { n, t } from "../language.ts";
import { patchInTransition } from "../livepatch.ts";

export const blockingCommand: Command = {
  name: "blocking",
  operand: null,
  options: [],
  brief: n`list the processes that a transition still waits for`,
  details: n`-v adds their command lines, -v -v also where their threads sleep in the\nkernel, why they do not move and what helps. While a transition goes on, only\nroot can see them.`,
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
  async run(context: Context): Promise<number> {
    return list(context, "both");
  },
};

/** What stands in the first column: kgr lists processes, klp threads, blocking_threads both. */
export type Column = "processes" | "threads" | "both";

async function list(context: Context, column: Column): Promise<number> {
  const { system, invocation, dialect } = context;
  const patch = patchInTransition(system);
  const threads = patch === null ? [] : findBlocking(system, patch);
  if (threads === null) {
    const message = t`cannot list blocking processes: only root may see where the tasks of others stand`;
    throw new NotRootError(message, t`type the command after: sudo`);
  }
  const { json, verbosity } = invocation;
  if (json || (verbosity > 0 && patch !== null && threads.length > 0)) {
    const { explain } = await import("../blocking-explained.ts");
    explain(context, column, patch, threads);
  } else {
    const nothing = verbosity > 0 ? [dialect.nothingBlocks] : [];
    printLines(system, threads.length === 0 ? nothing : numbersOf(threads, column));
  }
  return 0;
}

function numbersOf(threads: readonly Thread[], column: Column): readonly string[] {
  switch (column) {
    case "processes":
      return [...new Set(threads.map(({ pid }) => `${pid}`))];
    case "threads":
      return threads.map(({ tid }) => `${tid}`);
    case "both":
      return threads.map(({ pid, tid }) => `${pid} ${tid}`);
  }
}
