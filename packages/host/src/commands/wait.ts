import { type Command, type Context, printJson, printLines } from "../command.ts";
import { followOptions } from "../change.ts";
import { noteFixesInForce } from "../in-force.ts";
import { n } from "../language.ts";
import { followTransition, transitionReport } from "../transition.ts";

export const waitCommand: Command = {
  name: "wait",
  operand: null,
  options: ["timeout", "on-timeout"],
  brief: n`wait until no live patch is in transition`,
  details: n`Tells how many tasks are left, wakes those that sleep in a function that\nchanges, and tells of each that does not move why, and what helps. Without\n--timeout it waits as long as it takes; at the time limit --on-timeout says,\nand otherwise the policy, whether to report the tasks that block (exit 124,\nthe transition goes on), to wait on, or to reverse the transition (exit 3).`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    system.catchInterrupts();
    const options = followOptions(context, invocation.timeoutMs ?? Infinity);
    const waitedMs = await followTransition(system, options);
    await noteFixesInForce(system);
    if (invocation.json) {
      printJson(system, transitionReport(system, "wait", null, waitedMs));
    } else {
      printLines(system, ["ready"]);
    }
    return 0;
  },
};
