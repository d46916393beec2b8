import { type Command, type Context, printJson, printLines } from "../command.ts";
import { noteFixesInForce } from "../in-force.ts";
import { followTransition, transitionReport } from "../transition.ts";

export const waitCommand: Command = {
  name: "wait",
  operand: null,
  options: ["timeout"],
  brief: "wait until no live patch is in transition",
  details:
    "Tells each second how many tasks are left. Without --timeout it waits as long\nas it takes; at the time limit it names the tasks that block and exits with\n124, and the transition goes on.",
  async run({ system, invocation }: Context): Promise<number> {
    system.catchInterrupts();
    const timeoutMs = invocation.timeoutMs ?? Infinity;
    const waitedMs = await followTransition(system, { timeoutMs, progress: !invocation.json });
    await noteFixesInForce(system);
    if (invocation.json) {
      printJson(system, transitionReport(system, "wait", null, waitedMs));
    } else {
      printLines(system, ["ready"]);
    }
    return 0;
  },
};
