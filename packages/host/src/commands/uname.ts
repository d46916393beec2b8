/**
 * The effective kernel: the distribution's kernel whose fixes are all in force here, told by the manifest of the
 * live patch that brings them. A live patch of single fixes brings no whole release, and says none; then the
 * effective kernel is the running one.
 */
import type { Manifest, UnameReport } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { manifestsInForce } from "../in-force.ts";
import { kernelRelease } from "../kernel-identity.ts";
import { n } from "../language.ts";
import { printable } from "../text.ts";
import { compareVersions } from "../version.ts";

export const unameCommand: Command = {
  name: "uname",
  operand: null,
  options: [],
  brief: n`print the effective kernel: the release whose fixes are in force`,
  details: n`That is the release that the manifest of a live patch in force names, else the\nrunning one: a live patch of single fixes brings no whole release. -v adds both,\nand which patch it is.`,
  async run({ system, invocation }: Context): Promise<number> {
    const report = effectiveKernel(kernelRelease(system), await manifestsInForce(system));
    if (invocation.json) {
      printJson(system, report);
    } else {
      printLines(system, linesOf(report, invocation.verbosity).map(printable));
    }
    return 0;
  },
};

/** Each manifest's claim holds by itself, so the newest of them does. */
export function effectiveKernel(running: string, manifests: readonly Manifest[]): UnameReport {
  const claims = manifests.flatMap(({ name, effective }) =>
    effective === undefined ? [] : [{ ...effective, patch: name }],
  );
  const sorted = claims.toSorted((a, b) => compareVersions(a.packageVersion, b.packageVersion));
  return { running, effective: sorted.at(-1) ?? null };
}

function linesOf({ running, effective }: UnameReport, verbosity: number): readonly string[] {
  const release = effective?.release ?? running;
  if (verbosity === 0) {
    return [release];
  }
  const source =
    effective === null
      ? ["    patch: (none in force names a release, so the running one is the effective one)"]
      : [`    package version: ${effective.packageVersion}`, `    patch: ${effective.patch}`];
  return [release, `    running: ${running}`, ...source];
}
