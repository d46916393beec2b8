/**
 * An advisory as an OpenVEX document: in the kernel that it is for, its vulnerabilities are fixed once the live patch
 * is there. What is in force on one machine, `kgr vex` says there.
 * Source: OpenVEX 0.2.0, https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md.
 */
import type { Advisory } from "@kgraft/contract";
import { cvesOf } from "./make-advisory.ts";

/** Undefined where no CVE is named: a document must have a statement. */
export function openVexDocument(advisory: Advisory, origin: string): object | undefined {
  const { id, kernel, status, issued, updated, fixes, packages, patch, reason } = advisory;
  const cves = new Set(cvesOf(advisory));
  if (cves.size === 0) return undefined;
  const purls = packages.map(
    ({ format, name, version, architecture }) =>
      `pkg:${format}/${format === "deb" ? "debian" : "suse"}/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`,
  );
  return {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": `urn:kgraft:${encodeURIComponent(id)}`,
    author: origin,
    timestamp: issued,
    ...(updated !== issued && { last_updated: updated }),
    version: status === "retracted" ? 2 : 1,
    tooling: "kgraft",
    statements: fixes
      .filter((fix) => cves.has(fix.id))
      .map((fix) => ({
        vulnerability: { name: fix.id, ...(fix.title !== "" && { description: fix.title }) },
        timestamp: issued,
        products: purls.map((purl) => ({ "@id": purl, identifiers: { purl } })),
        status: status === "retracted" ? "under_investigation" : "fixed",
        status_notes:
          status === "retracted"
            ? `the live patch was retracted${reason === undefined ? "" : `: ${reason}`}`
            : `by the live patch ${patch} in the running kernel ${kernel.release}`,
      })),
  };
}
