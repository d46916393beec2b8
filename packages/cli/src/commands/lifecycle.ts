import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { kgrReport } from "../machine/kgr-report.ts";
import { parseDay, parseDays, parsePath } from "../parameters.ts";

interface Flags {
  readonly days?: string;
  readonly date?: string;
  readonly save?: string;
  readonly diff?: string;
  readonly verbose: boolean;
  readonly json: boolean;
}

async function run(this: Context, flags: Flags, ...packages: string[]): Promise<void> {
  const { verbose, json, days, date, save, diff } = flags;
  const options = Object.entries({ days, date, save, diff }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}=${value}`],
  );
  const words = [...options, ...(verbose ? ["-v"] : []), ...(json ? ["--json"] : []), "--", ...packages];
  const { status, stdout } = await kgrReport(["lifecycle", ...words], this);
  this.status = status;
  if (json) {
    answer(this, true, JSON.parse(stdout) as object, () => []);
    return;
  }
  this.board.close();
  this.board.write(stdout);
}

export const lifecycleCommand: Command<Context> = buildCommand<Flags, string[], Context>({
  func: run,
  parameters: {
    flags: {
      days: {
        kind: "parsed",
        parse: parseDays,
        brief: "Show only what ends in so many days from now",
        placeholder: "N",
        optional: true,
      },
      date: {
        kind: "parsed",
        parse: parseDay,
        brief: "Show only what ends by that day",
        placeholder: "YYYY-MM-DD",
        optional: true,
      },
      save: {
        kind: "parsed",
        parse: parsePath,
        brief: "Keep the report in this file",
        placeholder: "FILE",
        optional: true,
      },
      diff: {
        kind: "parsed",
        parse: parsePath,
        brief: "Show only what changed since the report in this file",
        placeholder: "FILE",
        optional: true,
      },
      verbose: { kind: "boolean", brief: "Say which data was read", default: false, withNegated: false },
      json: jsonFlag,
    },
    positional: {
      kind: "array",
      parameter: { brief: "Only these packages", parse: String, placeholder: "PACKAGE" },
    },
    aliases: { v: "verbose" },
  },
  docs: {
    brief: "Say when the support of kernels, packages and products ends",
    fullDescription: `Prints the report of zypper lifecycle, for machines with dpkg or rpm: when the support of the
products that this machine has ends, and that of the packages that end at another time, live patches for each
kernel among them. It asks kgr, so both say the same; docs/lifecycle.md tells where the data comes from.

The exit status is 1 when a package is not installed or the report is empty, 2 when something cannot be read.

Examples:
  kgraft lifecycle
  kgraft lifecycle --days 30
  kgraft lifecycle kgraft-patch-6.1.0-55-cloud-amd64`,
  },
});
