import type { BlockingReport, BlockingTask } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { NotRootError } from "../errors.ts";
import { patchInTransition } from "../livepatch.ts";
import { commandOf, readBlocking } from "../tasks.ts";
import { printable } from "../text.ts";

export const blockingCommand: Command = {
  name: "blocking",
  operand: null,
  options: [],
  brief: "list the processes that a transition still waits for",
  details:
    "-v adds their command lines, -v -v also where their threads sleep in the\nkernel. While a transition goes on, only root can see them.",
  // oxlint-disable-next-line typescript/require-await -- commands share one shape
  async run({ system, invocation }: Context): Promise<number> {
    const patch = patchInTransition(system);
    const blocking = patch === null ? [] : readBlocking(system, patch);
    if (blocking === null) {
      const message = "cannot list blocking processes: only root may see where the tasks of others stand";
      throw new NotRootError(message, "type the command after: sudo");
    }
    if (invocation.json) {
      printJson(system, { blocking } satisfies BlockingReport);
    } else {
      printLines(system, linesOf(blocking, invocation.verbosity));
    }
    return 0;
  },
};

function linesOf(blocking: readonly BlockingTask[], verbosity: number): readonly string[] {
  if (blocking.length === 0) {
    return verbosity > 0 ? ["no processes with kgr_in_progress set"] : [];
  }
  const lines: string[] = [];
  let pid = -1;
  for (const task of blocking) {
    if (task.pid !== pid) {
      pid = task.pid;
      lines.push(verbosity > 0 ? `${pid} ${commandOf(task)}` : `${pid}`);
    }
    if (verbosity > 1) {
      const where = task.stack.length > 0 ? task.stack : ["(stack cannot be read)"];
      lines.push(
        `    thread ${task.tid} ${printable(task.name)}`,
        ...where.map((at) => `        ${printable(at)}`),
      );
    }
  }
  return lines;
}
