import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { debianCase } from "../demo/defaults.ts";
import { runDemo } from "../demo/demo.ts";
import { parseText, suiteFlag } from "../parameters.ts";

interface Flags {
  readonly install: boolean;
  readonly release: string;
  readonly from: string;
  readonly to: string;
  readonly suite?: string;
  readonly json: boolean;
}

async function run(this: Context, flags: Flags): Promise<void> {
  const report = await runDemo(flags, this);
  answer(this, flags.json, report, () => []);
}

export const demoCommand: Command<Context> = buildCommand<Flags, [], Context>({
  func: run,
  parameters: {
    flags: {
      install: {
        kind: "boolean",
        brief: "First install what is missing, as `kgraft doctor --install` does",
        default: false,
        withNegated: false,
      },
      release: {
        kind: "parsed",
        parse: parseText,
        brief: "Release of the kernel at fault",
        placeholder: "RELEASE",
        default: debianCase.release,
      },
      from: {
        kind: "parsed",
        parse: parseText,
        brief: "Its package version",
        placeholder: "VERSION",
        default: debianCase.from,
      },
      to: {
        kind: "parsed",
        parse: parseText,
        brief: "The version that repairs it",
        placeholder: "VERSION",
        default: debianCase.to,
      },
      suite: suiteFlag,
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Show a kernel that survives, patched while it runs",
    fullDescription: `Fetches a Debian kernel that crashes on ext4, takes the fix from Debian's next version,
builds the live patch, crashes the stock kernel in a virtual machine, and then the same
kernel again, patched under load, which must survive. Fails where either is not so.

Examples:
  kgraft demo --install
  kgraft demo --json
  kgraft demo --release 6.1.0-55-cloud-amd64 --from 6.1.192-1 --to 6.1.192-2`,
  },
});
