import type { StatusReport } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { kernelRelease } from "../kernel-identity.ts";
import { n } from "../language.ts";
import { patchInTransition } from "../livepatch.ts";
import { countBlocking } from "../blocking-threads.ts";

export const statusCommand: Command = {
  name: "status",
  operand: null,
  options: [],
  brief: n`say whether a live patch is in transition: ready or in_progress`,
  details: n`With -v it adds what is loaded at boot and whether the crash guard is armed,\nwhen live patches for this kernel end where that is near, and with in_progress\nwhich patch, which way, and how many tasks are left.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    const wanted = invocation.json || invocation.verbosity > 0;
    if (!wanted) {
      printLines(system, [patchInTransition(system) === null ? "ready" : "in_progress"]);
      return 0;
    }
    const report = await readStatus(context);
    if (invocation.json) {
      printJson(system, report);
      return 0;
    }
    const { bootLines } = await import("../boot-state.ts");
    const { coverageLines } = await import("../lifecycle/coverage.ts");
    const { transition } = report;
    const details =
      transition === undefined
        ? []
        : [
            `    patch: ${transition.patch}`,
            `    direction: ${transition.direction}`,
            `    tasks left: ${transition.tasksLeft ?? "(only root can see)"}`,
          ];
    printLines(system, [
      report.state,
      ...details,
      ...bootLines(system, report.boot),
      ...coverageLines(report.coverage),
    ]);
    return 0;
  },
};

async function readStatus({ system, policy }: Context): Promise<StatusReport> {
  const patch = patchInTransition(system);
  const release = kernelRelease(system);
  // Read from the binary only where it is asked for: `kgr status` alone is not to pay for it.
  const { readBootState } = await import("../boot-state.ts");
  const boot = await readBootState(system, policy);
  const { readCoverage } = await import("../lifecycle/coverage.ts");
  const coverage = readCoverage(system);
  if (patch === null) {
    return { state: "ready", release, boot, coverage };
  }
  const direction = patch.state === "applying" ? "apply" : "revert";
  const tasksLeft = countBlocking(system, patch);
  const transition = { patch: patch.name, direction, tasksLeft } as const;
  return { state: "in_progress", release, transition, boot, coverage };
}

export const checkCommand: Command = {
  name: "check",
  operand: null,
  options: [],
  brief: n`exit with 0 when ready, with 1 when in progress, for scripts`,
  details: n`Prints nothing, unless asked by --json.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    const inProgress = patchInTransition(system) !== null;
    if (invocation.json) {
      printJson(system, await readStatus(context));
    }
    return inProgress ? 1 : 0;
  },
};
