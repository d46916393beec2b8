import { beginChange, checkMayChange, conclude, concludeDryRun, follow } from "../change.ts";
import type { Command, Context } from "../command.ts";
import type { Dialect } from "../dialect.ts";
import { KernelRefusedError, RefusedError } from "../errors.ts";
import { n, t } from "../language.ts";
import { forceTransition, type LivePatch, patchInTransition } from "../livepatch.ts";
import { type System, SystemError } from "../system.ts";
import { countBlocking } from "../blocking-threads.ts";
import { tasksLeftText } from "../text.ts";

export const forceCommand: Command = {
  name: "force",
  operand: null,
  options: ["yes", "dry-run"],
  brief: n`end a transition at once, whatever the tasks left are doing`,
  details: n`The last resort: first see kgr -v -v blocking, kgr poke, kgr disable. It asks\nfirst on a terminal and refuses without one, unless told --yes. What it costs\nis told before; it cannot be taken back until the machine starts anew.`,
  async run(context: Context): Promise<number> {
    const { system, invocation, dialect } = context;
    checkMayChange(system);
    // 1. What is forced, and what that costs.
    const patch = patchInTransition(system);
    if (patch === null) {
      return conclude(context, "force", null, 0, "ready");
    }
    const count = tasksLeftText(countBlocking(system, patch));
    system.print("err", costs(patch, count, dialect));
    if (invocation.options.has("dry-run")) {
      return concludeDryRun(context, "force", patch.name, t`would be forced, ${count}`);
    }
    // 2. Someone who knows it.
    if (!invocation.options.has("yes")) {
      askFor(system, patch);
    }
    // 3. All tasks moved, by order.
    beginChange(system);
    force(system, patch);
    const waitedMs = await follow(context);
    return conclude(context, "force", patch.name, waitedMs, t`ready, forced`);
  },
};

function costs({ name, state }: LivePatch, count: string, { program }: Dialect): string {
  const [stays, others] = state === "applying" ? [t`old`, t`new`] : [t`new`, t`old`];
  return t`${program}: ${name} is ${state}, ${count}. Forced, each of these counts as moved although it is not:
     it may go on in the ${stays} functions while others run the ${others} ones, and where both must not
     meet, data can be damaged or the machine can fail, now or later;
     what this takes out of force stays loaded until the machine starts anew.
`;
}

function askFor(system: System, patch: LivePatch): void {
  const answer = system.ask(t`Force ${patch.name}? Type yes: `);
  if (answer === null) {
    throw new RefusedError(
      t`cannot force ${patch.name}: nobody to ask, this is no terminal`,
      t`if you accept what it costs, type: kgr force --yes`,
    );
  }
  if (answer.trim() !== "yes") {
    throw new RefusedError(
      t`did not force ${patch.name}: the answer was not yes`,
      t`see what else helps with: kgr -v -v blocking`,
    );
  }
}

function force(system: System, patch: LivePatch): void {
  try {
    forceTransition(system, patch.name);
  } catch (cause) {
    if (cause instanceof SystemError && patchInTransition(system) !== null) {
      throw new KernelRefusedError(
        t`cannot force ${patch.name}: the kernel answers ${cause.code}`,
        t`see how it stands with: kgr -v status`,
        { cause },
      );
    }
    // Otherwise it ended by itself a moment before.
  }
}
