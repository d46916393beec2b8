import { beginChange, conclude, findPatch, follow } from "../change.ts";
import type { Command, Context } from "../command.ts";
import { RefusedError } from "../errors.ts";
import { readPatch } from "../livepatch.ts";
import { removeRecord } from "../manifest-file.ts";
import { removeModule } from "../modules.ts";
import { turnOff } from "./disable.ts";

export const unloadCommand: Command = {
  name: "unload",
  operand: "NAME",
  options: ["timeout"],
  brief: "disable a live patch and remove its module",
  details: "Waits for the transition, 61 s unless told by --timeout.",
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    beginChange(system);
    const patch = findPatch(system, invocation.operand);
    // 1. The original functions back in force.
    turnOff(system, patch);
    const waitedMs = patch.state === "off" ? 0 : await follow(context);
    const state = readPatch(system, patch.name)?.state ?? "off";
    if (state !== "off") {
      throw new RefusedError(
        `cannot unload ${patch.name}: it has been enabled meanwhile and is ${state}`,
        `type again: kgr unload ${patch.name}`,
      );
    }
    // 2. The module out of the kernel, then what was noted of it.
    await removeModule(system, patch.name);
    removeRecord(system, patch.name);
    return conclude(context, "unload", patch.name, waitedMs, "unloaded");
  },
};
