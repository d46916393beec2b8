/**
 * An advisory as a record of the Open Source Vulnerability format: which versions of the live patch's packages lack
 * the fix. A retracted one is withdrawn.
 * Source: https://ossf.github.io/osv-schema/, version 1.7.
 */
import type { Advisory } from "@kgraft/contract";
import { cvesOf } from "./make-advisory.ts";

export function osvRecord(advisory: Advisory): object {
  const { id, title, fixes, packages, kernel, status, issued, updated, reason } = advisory;
  const cves = cvesOf(advisory);
  const highest = fixes
    .flatMap(({ cvss }) => (cvss === undefined ? [] : [cvss]))
    .toSorted((a, b) => b.score - a.score)[0];
  return {
    schema_version: "1.7.0",
    id,
    modified: updated,
    published: issued,
    ...(status === "retracted" && { withdrawn: updated }),
    ...(cves.length > 0 && { upstream: cves }),
    summary: title,
    details: [
      ...(reason === undefined ? [] : [`Retracted: ${reason}`]),
      `Live patch ${advisory.patch} for the running kernel ${kernel.release}.`,
      ...fixes.map((fix) => `- ${fix.id}${fix.title === "" ? "" : `: ${fix.title}`}`),
    ].join("\n"),
    ...(highest !== undefined && {
      severity: [
        { type: highest.vector.startsWith("CVSS:4") ? "CVSS_V4" : "CVSS_V3", score: highest.vector },
      ],
    }),
    affected: packages.map(({ format, name, version }) => ({
      package: {
        ecosystem: format === "deb" ? "Debian" : "SUSE",
        name,
        purl: `pkg:${format}/${format === "deb" ? "debian" : "suse"}/${encodeURIComponent(name)}`,
      },
      ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: version }] }],
    })),
    references: cves.map((cve) => ({ type: "ADVISORY", url: `https://www.cve.org/CVERecord?id=${cve}` })),
  };
}

/** What OSV's readers fetch first: each record and when it changed, the newest first. */
export function osvIndex(advisories: readonly { readonly id: string; readonly updated: string }[]): string {
  return advisories
    .toSorted((a, b) => b.updated.localeCompare(a.updated) || a.id.localeCompare(b.id))
    .map(({ id, updated }) => `${updated},${id}\n`)
    .join("");
}
