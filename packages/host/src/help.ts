/** What `kgr --help` and `kgr COMMAND --help` say. */
import { optionTable } from "./arguments.ts";
import type { Command } from "./command.ts";
import { allCommands } from "./commands.ts";
import { t, translate } from "./language.ts";

const nameColumns = 17;

/** All commands, a line for each. */
export async function overview(): Promise<string> {
  const rows = (await allCommands()).map((command) => {
    const shown = synopsis(command);
    const brief = translate(command.brief);
    return shown.length <= nameColumns
      ? `  ${shown.padEnd(nameColumns)} ${brief}`
      : `  ${shown}\n  ${"".padEnd(nameColumns)} ${brief}`;
  });
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

/** One command, with all that it takes. */
export function helpOf(command: Command): string {
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
