/** The advisory of a live patch, from its manifest and the packages that carry it. */
import type { Advisory, AdvisoryPackage, Manifest } from "@kgraft/contract";
import { highestScore, severityOf } from "./cvss.ts";

/** Which live patch a package's version is: the counter before the rebuild. */
export function counterOf(version: string): number {
  return Number(/^(\d{1,9})-\d/.exec(version)?.[1] ?? 0);
}

export function advisoryId(release: string, counter: number): string {
  return `KGRAFT-${release}-${counter}`;
}

/** Whether there is anything to tell: the initial patch repairs nothing. */
export function wantsAdvisory({ fixes }: Manifest, counter: number): boolean {
  return fixes.length > 0 || counter > 1;
}

const cveForm = /^CVE-\d{4}-\d{4,19}$/;

/** The CVE numbers among what a patch repairs. */
export function cvesOf({ fixes }: Pick<Advisory, "fixes">): readonly string[] {
  return fixes.map(({ id }) => id).filter((id) => cveForm.test(id));
}

/** A new advisory, or the one that is there with one more package. */
export function makeAdvisory(
  manifest: Manifest,
  part: AdvisoryPackage,
  before: Advisory | undefined,
  time: number,
): Advisory {
  const { release, packageVersion, architecture } = manifest.kernel;
  const { fixes } = manifest;
  const counter = counterOf(part.version);
  const now = timeText(time);
  const others = (before?.packages ?? []).filter(
    (one) => one.format !== part.format || one.name !== part.name || one.architecture !== part.architecture,
  );
  return {
    schema: "kgraft-advisory/1",
    id: advisoryId(release, counter),
    patch: manifest.name,
    kernel: { release, packageVersion, architecture },
    title: titleOf(manifest, counter),
    type: fixes.some(({ id, cvss }) => cveForm.test(id) || cvss !== undefined) ? "security" : "recommended",
    severity: severityOf(highestScore(fixes)),
    status: "stable",
    issued: before?.issued ?? now,
    updated: now,
    fixes,
    packages: [...others, part],
  };
}

function titleOf({ kernel, fixes }: Manifest, counter: number): string {
  const what = fixes[0]?.title || fixes[0]?.id || "";
  const more = fixes.length > 1 ? ` and ${fixes.length - 1} more` : "";
  return `Live patch ${counter} for ${kernel.release}${what === "" ? "" : `: ${what}${more}`}`.slice(0, 200);
}

/** Seconds since 1970 as `2026-11-25T02:00:00Z`. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
