/** The tool from its command line to its exit code. */
import packageJson from "../package.json" with { type: "json" };
import { optionTable, parseArguments } from "./arguments.ts";
import type { Command, Context } from "./command.ts";
import { blockingCommand, blockingThreadsCommand } from "./commands/blocking.ts";
import { completionCommand } from "./commands/completion.ts";
import { configCommand, problemLine } from "./commands/config.ts";
import { disableCommand } from "./commands/disable.ts";
import { downgradeCommand } from "./commands/downgrade.ts";
import { enableCommand } from "./commands/enable.ts";
import { fixesCommand } from "./commands/fixes.ts";
import { forceCommand } from "./commands/force.ts";
import { loadCommand } from "./commands/load.ts";
import { metricsCommand } from "./commands/metrics.ts";
import { patchesCommand } from "./commands/patches.ts";
import { pokeCommand } from "./commands/poke.ts";
import { checkCommand, statusCommand } from "./commands/status.ts";
import { unameCommand } from "./commands/uname.ts";
import { unloadCommand } from "./commands/unload.ts";
import { vexCommand } from "./commands/vex.ts";
import { waitCommand } from "./commands/wait.ts";
import { type Dialect, dialectOf } from "./dialect.ts";
import { exitCodeOf } from "./errors.ts";
import { readConfig } from "./config.ts";
import { chooseLanguage, t, translate } from "./language.ts";
import type { Policy } from "./policy.ts";
import type { System } from "./system.ts";
import { printable } from "./text.ts";

const commands: readonly Command[] = [
  statusCommand,
  checkCommand,
  patchesCommand,
  blockingCommand,
  blockingThreadsCommand,
  pokeCommand,
  forceCommand,
  loadCommand,
  enableCommand,
  disableCommand,
  unloadCommand,
  downgradeCommand,
  waitCommand,
  fixesCommand,
  unameCommand,
  vexCommand,
  metricsCommand,
  configCommand,
  completionCommand(() => commands),
];

/**
 * Runs `kgr` with the words after its name, and speaks klp where it is called by that name.
 *
 * @returns the exit code, as kgr(1) lists them
 */
export async function main(system: System, argv: readonly string[], calledAs = "kgr"): Promise<number> {
  const dialect = dialectOf(calledAs);
  chooseLanguage(system, argv.includes("--json"));
  try {
    const invocation = parseArguments(commands, argv);
    if (invocation.version) {
      system.print("out", `${dialect.program} ${packageJson.version}\n`);
      return 0;
    }
    if (invocation.help || invocation.command === null) {
      system.print("out", invocation.command === null ? overview() : helpOf(invocation.command));
      return 0;
    }
    return await invocation.command.run(contextOf(system, invocation, dialect));
  } catch (error) {
    system.print("err", complaint(error, dialect));
    return exitCodeOf(error);
  }
}

/** The policy is read from its file when a command asks for it, and once: most commands never do. */
function contextOf(system: System, invocation: Context["invocation"], dialect: Dialect): Context {
  let policy: Policy | null = null;
  return {
    system,
    invocation,
    dialect,
    get policy() {
      policy ??= readPolicy(system);
      return policy;
    },
  };
}

function readPolicy(system: System): Policy {
  const { policy, problems } = readConfig(system);
  if (problems.length > 0) {
    system.print("err", problems.map(problemLine).join(""));
  }
  return policy;
}

function complaint(error: unknown, { program }: Dialect): string {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Error && "hint" in error ? String(error.hint) : "";
  const unexpected = exitCodeOf(error) === 70 ? t`unexpected: ` : "";
  const lines = [
    `${program}: ${unexpected}${printable(message)}`,
    ...(hint === "" ? [] : [`     ${printable(hint)}`]),
  ];
  return `${lines.join("\n")}\n`;
}

function overview(): string {
  const rows = commands.map((command) => `  ${synopsis(command).padEnd(18)}${translate(command.brief)}`);
  return t`usage: kgr [-hv] [--json] COMMAND

The running kernel's live patches.

${rows.join("\n")}

options:
  -v, --verbose     tell more; twice for still more
  --json            print one JSON document instead of text
  -h, --help        this help; after a command, that command's
  --version         print the version

Exit codes and examples stand in kgr(1).
`;
}

function helpOf(command: Command): string {
  const options = command.options.map((name) => {
    const option = optionTable[name].argument === null ? name : `${name} ${optionTable[name].argument}`;
    return ` [--${option}]`;
  });
  const brief = translate(command.brief);
  const sentence = `${brief[0]?.toUpperCase()}${brief.slice(1)}`;
  return t`usage: kgr [-v] [--json] ${synopsis(command)}${options.join("")}

${sentence}.
${translate(command.details)}
`;
}

function synopsis(command: Command): string {
  return command.operand === null ? command.name : `${command.name} ${command.operand}`;
}
