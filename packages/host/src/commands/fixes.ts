import type { FixesReport, FixReport } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { type FixInForce, fixesInForce, manifestsInForce, timestamp } from "../in-force.ts";
import { n } from "../language.ts";
import type { System } from "../system.ts";
import { printable } from "../text.ts";

export const fixesCommand: Command = {
  name: "fixes",
  operand: null,
  options: [],
  brief: n`list what the live patches in force repair, and since when`,
  details: n`Each line: its number, how severe it is (CVSS), since when it is in force here,\nand its title; - where nothing tells. -v adds the live patch and the CVSS\nvector. A patch in transition does not count yet.`,
  async run({ system, invocation }: Context): Promise<number> {
    const fixes = fixesInForce(system, await manifestsInForce(system)).map((fix) => describe(system, fix));
    if (invocation.json) {
      printJson(system, { fixes } satisfies FixesReport);
    } else {
      printLines(system, linesOf(fixes, invocation.verbosity));
    }
    return 0;
  },
};

function describe(system: System, { id, title, cvss, patch, sinceMs }: FixInForce): FixReport {
  return {
    id,
    title,
    cvss: cvss ?? null,
    patch,
    since: sinceMs === null ? null : timestamp(system, sinceMs),
  };
}

function linesOf(fixes: readonly FixReport[], verbosity: number): readonly string[] {
  const idColumns = Math.max(...fixes.map(({ id }) => id.length));
  return fixes
    .flatMap(({ id, title, cvss, patch, since }) => {
      const severity = (cvss?.score.toFixed(1) ?? "-").padStart(4);
      const line = `${id.padEnd(idColumns)}  ${severity}  ${(since ?? "-").padEnd(20)}  ${title}`;
      return verbosity === 0 ? [line] : [line, `    patch: ${patch}`, `    CVSS: ${cvss?.vector ?? "-"}`];
    })
    .map(printable);
}
