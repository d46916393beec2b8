import type { ConfigReport } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { configFile, type ConfigEntry, problemText, readConfig } from "../config.ts";
import { n } from "../language.ts";

export const configCommand: Command = {
  name: "config",
  operand: null,
  options: [],
  brief: n`print the settings in force, and where each comes from`,
  details: n`Each line could stand in /etc/kgr/kgr.conf; behind it is where the value comes\nfrom. Exits with 65 where a line of that file cannot be read.`,
  // oxlint-disable-next-line typescript/require-await -- commands share one shape
  async run({ system, invocation }: Context): Promise<number> {
    const { entries, problems } = readConfig(system);
    if (invocation.json) {
      const settings = entries.map(({ key, value, line }) => ({ key, value, line }));
      printJson(system, { file: configFile, settings, problems } satisfies ConfigReport);
    } else {
      printLines(system, linesOf(entries));
    }
    system.print("err", problemText(problems));
    return problems.length === 0 ? 0 : 65;
  },
};

function linesOf(entries: readonly ConfigEntry[]): readonly string[] {
  const texts = entries.map(({ key, value }) => `${key}=${value}`);
  const columns = Math.max(...texts.map((text) => text.length));
  return entries.map(({ line }, at) => {
    const source = line === null ? "default" : `${configFile}:${line}`;
    return `${texts[at]!.padEnd(columns)}  # ${source}`; // one text for each entry
  });
}
