import {
  beginChange,
  checkNoOtherTransition,
  conclude,
  concludeDryRun,
  findPatch,
  follow,
} from "../change.ts";
import type { Command, Context } from "../command.ts";
import { RefusedError } from "../errors.ts";
import { n, t } from "../language.ts";
import { readPatch } from "../livepatch.ts";
import { removeLoaded } from "../loading.ts";
import { turnOff, wouldTurnOff } from "./disable.ts";

export const unloadCommand: Command = {
  name: "unload",
  operand: "NAME",
  options: ["timeout", "on-timeout", "dry-run"],
  brief: n`disable a live patch and remove its module`,
  details: n`Waits for the transition, 61 s unless told by --timeout.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    beginChange(system);
    const patch = findPatch(system, invocation.operand);
    checkNoOtherTransition(system, patch.name);
    if (invocation.options.has("dry-run")) {
      const text = patch.state === "off" ? "" : t`${wouldTurnOff(patch)}, then `;
      return concludeDryRun(context, "unload", patch.name, t`${text}its module would be removed`);
    }
    // 1. The original functions back in force.
    await turnOff(context, patch.name);
    const waitedMs = patch.state === "off" ? 0 : await follow(context);
    const state = readPatch(system, patch.name)?.state ?? "off";
    if (state !== "off") {
      throw new RefusedError(
        t`cannot unload ${patch.name}: it has been enabled meanwhile and is ${state}`,
        t`type again: kgr unload ${patch.name}`,
      );
    }
    // 2. The module out of the kernel, then what was noted of it.
    await removeLoaded(context, patch.name);
    return conclude(context, "unload", patch.name, waitedMs, "unloaded");
  },
};
