/** The tool from its command line to its exit code. */
import packageJson from "../package.json" with { type: "json" };
import { parseArguments } from "./arguments.ts";
import type { Context } from "./command.ts";
import { commands } from "./commands.ts";
import { problemText, readConfig } from "./config.ts";
import { type Dialect, dialectOf } from "./dialect.ts";
import { exitCodeOf } from "./errors.ts";
import { chooseLanguage, t } from "./language.ts";
import type { Policy } from "./policy.ts";
import type { System } from "./system.ts";
import { printable } from "./text.ts";

/**
 * Runs `kgr` with the words after its name, and speaks klp where it is called by that name.
 *
 * @returns the exit code, as kgr(1) lists them
 */
export async function main(system: System, argv: readonly string[], calledAs = "kgr"): Promise<number> {
  const dialect = dialectOf(calledAs);
  await chooseLanguage(system, argv.includes("--json"));
  try {
    const invocation = await parseArguments(commands, argv);
    if (invocation.version) {
      system.print("out", `${dialect.program} ${packageJson.version}\n`);
      return 0;
    }
    if (invocation.help || invocation.command === null) {
      const { helpOf, overview } = await import("./help.ts");
      const help = invocation.command === null ? await overview() : helpOf(invocation.command);
      system.print("out", help);
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
    system.print("err", problemText(problems));
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
