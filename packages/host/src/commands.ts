/**
 * The commands by name, in the order in which help lists them. Each is in a file of its own and is read from the
 * binary when it is asked for: a run needs one of them, and to read and set up all took four fifths of the time of
 * `kgr status`.
 */
import type { CommandTable } from "./arguments.ts";
import type { Command } from "./command.ts";

export const commands: CommandTable<Command> = new Map([
  ["status", async () => (await import("./commands/status.ts")).statusCommand],
  ["check", async () => (await import("./commands/status.ts")).checkCommand],
  ["patches", async () => (await import("./commands/patches.ts")).patchesCommand],
  ["blocking", async () => (await import("./commands/blocking.ts")).blockingCommand],
  ["blocking_threads", async () => (await import("./commands/blocking.ts")).blockingThreadsCommand],
  ["poke", async () => (await import("./commands/poke.ts")).pokeCommand],
  ["force", async () => (await import("./commands/force.ts")).forceCommand],
  ["load", async () => (await import("./commands/load.ts")).loadCommand],
  ["enable", async () => (await import("./commands/enable.ts")).enableCommand],
  ["disable", async () => (await import("./commands/disable.ts")).disableCommand],
  ["unload", async () => (await import("./commands/unload.ts")).unloadCommand],
  ["downgrade", async () => (await import("./commands/downgrade.ts")).downgradeCommand],
  ["install", async () => (await import("./commands/install.ts")).installCommand],
  ["uninstall", async () => (await import("./commands/install.ts")).uninstallCommand],
  ["boot", async () => (await import("./commands/boot.ts")).bootCommand],
  ["wait", async () => (await import("./commands/wait.ts")).waitCommand],
  ["verify", async () => (await import("./commands/verify.ts")).verifyCommand],
  ["fixes", async () => (await import("./commands/fixes.ts")).fixesCommand],
  ["uname", async () => (await import("./commands/uname.ts")).unameCommand],
  ["lifecycle", async () => (await import("./commands/lifecycle.ts")).lifecycleCommand],
  ["vex", async () => (await import("./commands/vex.ts")).vexCommand],
  ["metrics", async () => (await import("./commands/metrics.ts")).metricsCommand],
  ["config", async () => (await import("./commands/config.ts")).configCommand],
  ["completion", async () => (await import("./commands/completion.ts")).completionCommand(allCommands)],
]);

/** All of them, for help and for completion. */
export async function allCommands(): Promise<readonly Command[]> {
  return Promise.all([...commands.values()].map((load) => load()));
}
