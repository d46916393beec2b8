import type { StatusReport } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { kernelRelease } from "../kernel-identity.ts";
import { n } from "../language.ts";
import { patchInTransition } from "../livepatch.ts";
import type { System } from "../system.ts";
import { countBlocking } from "../blocking-threads.ts";

export const statusCommand: Command = {
  name: "status",
  operand: null,
  options: [],
  brief: n`say whether a live patch is in transition: ready or in_progress`,
  details: n`With -v and in_progress it adds which patch, which way, and how many tasks\nare left.`,
  // oxlint-disable-next-line typescript/require-await -- commands share one shape
  async run({ system, invocation }: Context): Promise<number> {
    const wanted = invocation.json || invocation.verbosity > 0;
    if (!wanted) {
      printLines(system, [patchInTransition(system) === null ? "ready" : "in_progress"]);
      return 0;
    }
    const report = readStatus(system);
    if (invocation.json) {
      printJson(system, report);
      return 0;
    }
    const { transition } = report;
    const details =
      transition === undefined
        ? []
        : [
            `    patch: ${transition.patch}`,
            `    direction: ${transition.direction}`,
            `    tasks left: ${transition.tasksLeft ?? "(only root can see)"}`,
          ];
    printLines(system, [report.state, ...details]);
    return 0;
  },
};

function readStatus(system: System): StatusReport {
  const patch = patchInTransition(system);
  const release = kernelRelease(system);
  if (patch === null) {
    return { state: "ready", release };
  }
  const direction = patch.state === "applying" ? "apply" : "revert";
  const tasksLeft = countBlocking(system, patch);
  return { state: "in_progress", release, transition: { patch: patch.name, direction, tasksLeft } };
}

export const checkCommand: Command = {
  name: "check",
  operand: null,
  options: [],
  brief: n`exit with 0 when ready, with 1 when in progress, for scripts`,
  details: n`Prints nothing, unless asked by --json.`,
  // oxlint-disable-next-line typescript/require-await -- commands share one shape
  async run({ system, invocation }: Context): Promise<number> {
    const inProgress = patchInTransition(system) !== null;
    if (invocation.json) {
      printJson(system, readStatus(system));
    }
    return inProgress ? 1 : 0;
  },
};
