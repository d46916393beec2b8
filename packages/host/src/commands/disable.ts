import {
  beginChange,
  checkNoOtherTransition,
  conclude,
  concludeDryRun,
  findPatch,
  follow,
  turn,
} from "../change.ts";
import type { Command, Context } from "../command.ts";
import { n, t } from "../language.ts";
import type { LivePatch } from "../livepatch.ts";
import { whileLocked } from "../lock.ts";

export const disableCommand: Command = {
  name: "disable",
  operand: "NAME",
  options: ["timeout", "on-timeout", "no-wait", "dry-run"],
  brief: n`put the original functions back into force`,
  details: n`Waits for the transition, 61 s unless told by --timeout or the policy. The\nmodule stays loaded: kgr unload removes it. Also turns back a patch that is\nbeing applied.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    beginChange(system);
    const patch = findPatch(system, invocation.operand);
    checkNoOtherTransition(system, patch.name);
    if (invocation.options.has("dry-run")) {
      return concludeDryRun(context, "disable", patch.name, wouldTurnOff(patch));
    }
    await turnOff(context, patch.name);
    const waitedMs = await follow(context);
    return conclude(context, "disable", patch.name, waitedMs, t`disabled, its module is still loaded`);
  },
};

/** What {@link turnOff} would do. */
export function wouldTurnOff({ state }: LivePatch): string {
  switch (state) {
    case "active":
      return t`would be disabled`;
    case "applying":
      return t`would be turned back`;
    case "reverting":
      return t`is being disabled already`;
    case "off":
      return t`is disabled already`;
  }
}

/** Begins to revert a patch, unless it is off or on its way. @throws NotFoundError, RefusedError, KernelRefusedError */
export async function turnOff(context: Context, name: string): Promise<void> {
  const { system } = context;
  await whileLocked(context, async () => {
    const { state } = findPatch(system, name); // as it is now: another kgr may have been there first
    checkNoOtherTransition(system, name);
    if (state === "active" || state === "applying") {
      await turn(context, name, false);
    }
  });
}
