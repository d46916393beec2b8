import { beginChange, conclude, concludeDryRun } from "../change.ts";
import { type Command, type Context, printLines } from "../command.ts";
import { n, t } from "../language.ts";
import { checkLoadable, load } from "../loading.ts";

export const loadCommand: Command = {
  name: "load",
  operand: "FILE.ko",
  options: ["timeout", "on-timeout", "no-wait", "dry-run"],
  brief: n`put a live patch into force`,
  details: n`Checks that the module is a live patch for the running kernel, that the\nmanifest FILE.json beside it belongs to it, that the policy allows it and that\nnobody else redirects its functions; loads it, and waits for the transition,\n61 s unless told by --timeout or the policy. A cumulative patch replaces those\nbefore it; their modules stay loaded until kgr unload removes them.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    beginChange(system);
    const loadable = await checkLoadable(context, invocation.operand);
    if (invocation.options.has("dry-run")) {
      return concludeDryRun(context, "load", loadable.name, t`would be loaded`);
    }
    const { waitedMs, replaced } = await load(context, loadable);
    const seconds = (waitedMs / 1000).toFixed(1);
    const status = conclude(context, "load", loadable.name, waitedMs, t`ready after ${seconds} s`);
    if (!invocation.json) {
      printLines(
        system,
        replaced.map((name) => t`${name}: replaced, remove its module with: kgr unload ${name}`),
      );
    }
    return status;
  },
};
