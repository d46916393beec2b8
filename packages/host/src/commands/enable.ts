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
import { RefusedError } from "../errors.ts";
import { n, t } from "../language.ts";
import { whileLocked } from "../lock.ts";

export const enableCommand: Command = {
  name: "enable",
  operand: "NAME",
  options: ["timeout", "on-timeout", "no-wait", "dry-run"],
  brief: n`put a live patch that is being disabled into force again`,
  details: n`Only while its transition lasts: the kernel does not enable a patch that has\nbeen disabled for good; that one must be unloaded and loaded again.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    beginChange(system);
    const { name, state } = findPatch(system, invocation.operand);
    if (state === "off") {
      throw new RefusedError(
        t`cannot enable ${name}: it has been disabled for good`,
        t`load it anew with: kgr unload ${name}; kgr load ${name}.ko`,
      );
    }
    checkNoOtherTransition(system, name);
    if (invocation.options.has("dry-run")) {
      const text = state === "reverting" ? t`would be turned back into force` : t`is ${state} already`;
      return concludeDryRun(context, "enable", name, text);
    }
    if (state === "reverting") {
      await whileLocked(context, () => turn(context, name, true));
    }
    const waitedMs = await follow(context);
    return conclude(context, "enable", name, waitedMs, "ready");
  },
};
