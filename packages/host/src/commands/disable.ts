import { beginChange, checkNoOtherTransition, conclude, findPatch, follow, turn } from "../change.ts";
import type { Command, Context } from "../command.ts";
import type { LivePatch } from "../livepatch.ts";
import type { System } from "../system.ts";

export const disableCommand: Command = {
  name: "disable",
  operand: "NAME",
  options: ["timeout", "no-wait"],
  brief: "put the original functions back into force",
  details:
    "Waits for the transition, 61 s unless told by --timeout. The module stays\nloaded: kgr unload removes it. Also turns back a patch that is being applied.",
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    beginChange(system);
    const patch = findPatch(system, invocation.operand);
    turnOff(system, patch);
    const waitedMs = await follow(context);
    return conclude(context, "disable", patch.name, waitedMs, "disabled, its module is still loaded");
  },
};

/** Begins to revert a patch, unless it is off or on its way. @throws RefusedError, KernelRefusedError */
export function turnOff(system: System, patch: LivePatch): void {
  checkNoOtherTransition(system, patch.name);
  if (patch.state === "active" || patch.state === "applying") {
    turn(system, patch.name, false);
  }
}
