import { basename, join } from "node:path";
import { checkUnit, type UnitCheck } from "@kgraft/build";
import { openKernel } from "@kgraft/kernel";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { UsageError } from "../errors.ts";
import { count, table } from "../format.ts";
import { parsePath, parseText } from "../parameters.ts";
import type { Style } from "../style.ts";

interface Flags {
  readonly object?: string;
  readonly printCommand: boolean;
  readonly json: boolean;
}

async function run(this: Context, flags: Flags, release: string, ...units: string[]): Promise<void> {
  const { object: objectPath, printCommand, json } = flags;
  if (objectPath !== undefined && units.length > 1)
    throw new UsageError("option --object takes one unit", "name the unit that the object was compiled from");
  const tree = await openKernel(release);
  const stage = this.board.stage("Comparing with the shipped kernel", { unit: "items" });
  const checks: UnitCheck[] = [];
  for (const [index, unit] of units.entries()) {
    stage.update({ done: index, total: units.length, message: unit });
    checks.push(...(await checkUnit(tree, unit, { objectPath, signal: this.signal })));
  }
  stage.done(count(units.length, "unit"));
  if (!printCommand && checks.some(({ differing }) => differing.length > 0)) this.status = 1;
  answer(this, json, { checks }, () =>
    printCommand ? checks.map(commandLine) : checkLines(checks, this.style),
  );
}

/** For a shell; the object goes where the user is, since the kernel's tree is not to be written to. */
function commandLine({ directory, command }: UnitCheck): string {
  const words = command
    .map((word, index) => (command[index - 1] === "-o" ? join(process.cwd(), basename(word)) : word))
    .filter((word) => !word.startsWith("-Wp,-MMD"));
  return `cd ${quote(directory)} && ${words.map(quote).join(" ")}`;
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** At most so many functions of a unit are named. */
const shown = 5;

function checkLines(checks: readonly UnitCheck[], style: Style): readonly string[] {
  const rows = checks.map(({ unit, object, functions, differing }) => {
    const equal = functions - differing.length;
    const mark = differing.length === 0 ? style.green("✔") : style.red("✘");
    return [`${mark} ${unit}`, style.dim(object), `${equal} of ${count(functions, "function")} equal`];
  });
  const differing = checks.flatMap((check) => [
    ...check.differing.slice(0, shown).map(({ unit, message }) => `  ${unit}: ${message}`),
    ...(check.differing.length > shown
      ? [style.dim(`  and ${check.differing.length - shown} more; --json has them all`)]
      : []),
  ]);
  return [...table(rows), ...differing];
}

export const kernelCheckCommand: Command<Context> = buildCommand<Flags, [string, ...string[]], Context>({
  func: run,
  parameters: {
    flags: {
      object: {
        kind: "parsed",
        parse: parsePath,
        brief: "An object that was compiled otherwise, to be compared instead",
        placeholder: "FILE.o",
        optional: true,
      },
      printCommand: {
        kind: "boolean",
        brief: "Print the command that compiles the unit, into the directory where you are",
        default: false,
        withNegated: false,
      },
      json: jsonFlag,
    },
    positional: {
      kind: "array",
      parameter: {
        brief: "Release of the kernel, fetched before; then units of it",
        parse: parseText,
        placeholder: "RELEASE UNIT.c",
      },
      minimum: 2,
    },
  },
  docs: {
    brief: "Compare what is compiled here with what the distribution shipped",
    fullDescription: `Compiles units of the kernel's own source and compares each function with the shipped kernel's,
byte by byte, where the linker fills nothing in. Exits with 1 where one differs. This is the proof
that every live patch is built on.

Examples:
  kgraft kernel check 6.1.0-55-cloud-amd64 fs/ext4/mballoc.c drivers/block/loop.c
  kgraft kernel check 6.1.0-55-cloud-amd64 fs/ext4/mballoc.c --print-command | sh
  kgraft kernel check 6.1.0-55-cloud-amd64 fs/ext4/mballoc.c --object mballoc.o`,
  },
});
