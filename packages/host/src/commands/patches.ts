import type { Manifest, PatchesReport, PatchReport } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import type { Dialect } from "../dialect.ts";
import { fileOf } from "../history.ts";
import { n } from "../language.ts";
import { type LivePatch, readFunctions, readPatches } from "../livepatch.ts";
import { readRecord } from "../manifest-file.ts";
import { newerVersion, packageOf } from "../package.ts";
import type { System } from "../system.ts";
import { printable } from "../text.ts";

export const patchesCommand: Command = {
  name: "patches",
  operand: null,
  options: [],
  brief: n`list the loaded live patches`,
  details: n`-v adds what each repairs, -v -v also the functions that it replaces, until when\nlive patches are made for this kernel, and a newer version of its package.`,
  async run({ system, invocation, dialect }: Context): Promise<number> {
    const patches = readPatches(system);
    const { json, verbosity } = invocation;
    if (!json && verbosity === 0) {
      printLines(
        system,
        patches.map((patch) => printable(patch.name)),
      );
      return 0;
    }
    const lines: string[] = [];
    const reports: PatchReport[] = [];
    for (const patch of patches) {
      const manifest = await readRecord(system, patch.name);
      const report = await describe(system, patch, manifest, json || verbosity > 1);
      reports.push(report);
      lines.push(...linesOf(report, manifest, verbosity, dialect));
    }
    if (json) {
      printJson(system, { patches: reports } satisfies PatchesReport);
    } else {
      printLines(system, lines.map(printable));
    }
    return 0;
  },
};

/** @param detailed also what lifecycle data and the package manager say, which takes longer */
async function describe(
  system: System,
  patch: LivePatch,
  manifest: Manifest | null,
  detailed: boolean,
): Promise<PatchReport> {
  const fixes = manifest?.fixes ?? [];
  const path = fileOf(system, patch.name);
  const installed = path === null ? null : await packageOf(system, path);
  const { readCoverage } = await import("../lifecycle/coverage.ts");
  return {
    name: patch.name,
    active: patch.state === "active" || patch.state === "applying",
    inTransition: patch.state === "applying" || patch.state === "reverting",
    package: installed?.fullName ?? null,
    manifestKnown: manifest !== null,
    cves: fixes.map((fix) => fix.id).filter((id) => id.startsWith("CVE-")),
    otherFixes: fixes.map((fix) => fix.id).filter((id) => !id.startsWith("CVE-")),
    functions: readFunctions(system, patch.name),
    expiration: detailed ? (readCoverage(system)?.until ?? null) : null,
    update: detailed && installed !== null ? await newerVersion(system, installed) : null,
  };
}

/** To the letter as kGraft printed it: scripts read each line by `^\s+([^:]+):\s*(.*)`. */
function linesOf(
  report: PatchReport,
  manifest: Manifest | null,
  verbosity: number,
  dialect: Dialect,
): readonly string[] {
  const initial = manifest !== null && manifest.functions.length === 0;
  const noCve = initial ? dialect.initialPatch : "(none)";
  const unknown = "(unknown - no manifest)";
  const lines = [
    report.name,
    `    active: ${report.active ? 1 : 0}`,
    `    RPM: ${report.package ?? "(none)"}`,
    `    CVE: ${manifest === null ? unknown : report.cves.join(" ") || noCve}`,
    `    bug fixes and enhancements: ${manifest === null ? unknown : report.otherFixes.join(" ") || "(none)"}`,
  ];
  if (verbosity > 1) {
    const functions = report.functions.map(({ object, name, sympos }) =>
      sympos > 1 ? `${object}:${name},${sympos}` : `${object}:${name}`,
    );
    lines.push(
      `    functions: ${functions.join(" ") || "(none)"}`,
      ...(report.expiration === null ? [] : [`    expiration: ${report.expiration}`]),
      ...(report.update === null ? [] : [`    update available: ${report.update}`]),
    );
  }
  return lines;
}
