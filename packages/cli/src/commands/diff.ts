import { diffVersions, type SourceDiff } from "@kgraft/kernel";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { archFlag, type ArchitectureName, parseText, suiteFlag } from "../parameters.ts";
import { follow, kernelTitles } from "../stages.ts";
import type { Style } from "../style.ts";

interface Flags {
  readonly from: string;
  readonly to: string;
  readonly suite?: string;
  readonly arch?: ArchitectureName;
  readonly json: boolean;
}

async function run(this: Context, flags: Flags, ...paths: string[]): Promise<void> {
  const progress = follow(this.board, kernelTitles);
  const diff = await diffVersions(
    {
      from: flags.from,
      to: flags.to,
      paths,
      ...(flags.suite !== undefined && { suite: flags.suite }),
      ...(flags.arch !== undefined && { architecture: flags.arch }),
    },
    { onProgress: progress.onProgress, signal: this.signal },
  );
  progress.done();
  answer(this, flags.json, diff, () => diffLines(diff, this.style));
  if (diff.text === "" && !flags.json) {
    const where = paths.length === 0 ? "" : ` in ${paths.join(", ")}`;
    this.board.write(`kgraft: nothing differs from ${flags.from} to ${flags.to}${where}\n`, "stderr");
  }
}

/** The diff itself, so that `> fix.patch` makes a patch of it; coloured on a terminal. */
export function diffLines({ text }: SourceDiff, style: Style): readonly string[] {
  if (text === "") return [];
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => {
      if (/^(\+\+\+|---) /.test(line)) return style.bold(line);
      if (line.startsWith("+")) return style.green(line);
      if (line.startsWith("-")) return style.red(line);
      return line.startsWith("@@") ? style.cyan(line) : line;
    });
}

export const diffCommand: Command<Context> = buildCommand<Flags, string[], Context>({
  func: run,
  parameters: {
    flags: {
      from: {
        kind: "parsed",
        parse: parseText,
        brief: "Package version before the change",
        placeholder: "VERSION",
      },
      to: { kind: "parsed", parse: parseText, brief: "Package version after it", placeholder: "VERSION" },
      suite: suiteFlag,
      arch: archFlag,
      json: jsonFlag,
    },
    positional: {
      kind: "array",
      parameter: {
        brief: "Only these files and directories of the kernel's tree",
        placeholder: "PATH",
        parse: parseText,
      },
    },
  },
  docs: {
    brief: "Show the source change between two versions of the kernel",
    fullDescription: `Compares the source packages of two versions of the distribution's kernel, and prints a
unified diff that \`kgraft build\` takes.

Examples:
  kgraft diff --from 6.1.192-1 --to 6.1.192-2 > fix.patch
  kgraft diff --from 6.1.190-1 --to 6.1.192-1 fs/ext4 mm/filemap.c`,
  },
});
