import type { BlockingTask, PokeReport } from "@kgraft/contract";
import { whyItBlocks } from "../advice.ts";
import { beginChange } from "../change.ts";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { n, t } from "../language.ts";
import { patchInTransition } from "../livepatch.ts";
import { canBeNudged, type Means, poke, thawLeftOver } from "../nudge.ts";
import { commandOf, groupByProcess, readBlocking } from "../tasks.ts";
import { printable } from "../text.ts";

export const pokeCommand: Command = {
  name: "poke",
  operand: null,
  options: ["dry-run"],
  brief: n`wake the processes that a transition waits for`,
  details: n`Each is frozen and thawed at once by its control group: it leaves its sleep,\nand its system call begins anew on the new functions. Where that cannot be, it\nis stopped and continued. Kernel threads and tasks that are deaf to signals\ncannot be woken.`,
  async run({ system, invocation, dialect }: Context): Promise<number> {
    beginChange(system);
    const dryRun = invocation.options.has("dry-run");
    if (!dryRun) {
      await thawLeftOver(system);
    }
    const patch = patchInTransition(system);
    const blocking = patch === null ? [] : (readBlocking(system, patch) ?? []);
    const processes = groupByProcess(blocking);
    const pids = processes.flatMap((tasks) => (tasks.some(canBeNudged) ? [tasks[0].pid] : []));
    const means = dryRun ? new Map<number, Means>() : await poke(system, pids);
    const poked = processes.map(([first]) => {
      const { pid } = first;
      const result = resultOf(first, pids.includes(pid), dryRun, means.get(pid) ?? null);
      return { pid, command: commandOf(first), result };
    });
    if (invocation.json) {
      printJson(system, { dryRun, poked } satisfies PokeReport);
    } else if (poked.length === 0) {
      printLines(system, invocation.verbosity > 0 ? [dialect.nothingBlocks] : []);
    } else {
      printLines(
        system,
        poked.map(({ pid, command, result }) => printable(`${pid} ${command}: ${result}`)),
      );
    }
    return 0;
  },
};

function resultOf(first: BlockingTask, awake: boolean, dryRun: boolean, means: Means): string {
  if (!awake) {
    return t`cannot be woken: ${whyItBlocks(first)}`;
  }
  if (dryRun) {
    return t`would be woken`;
  }
  switch (means) {
    case "freeze":
      return t`woken`;
    case "stop":
      return t`woken by SIGSTOP and SIGCONT`;
    case null:
      return t`has ended`;
  }
}
