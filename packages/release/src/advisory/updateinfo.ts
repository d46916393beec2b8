/**
 * Advisories as zypper and dnf read them: `updateinfo.xml` of rpm-md. libsolv turns each package into "needed where a
 * lower version is installed", and `status="retracted"` keeps a version from ever being chosen. There is no
 * `reboot_suggested`: a live patch is what spares the reboot.
 * Source: libsolv, ext/repo_updateinfoxml.c; the Uyuni and openSUSE build service's description of the format.
 */
import type { Advisory } from "@kgraft/contract";
import { cvesOf } from "./make-advisory.ts";

/** Nothing of the format but these five stands for itself; control characters are no XML at all. */
export function xmlText(text: string): string {
  return text
    .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
    .replace(/[^\t\n -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD");
}

/** One `<update>` element; empty where no rpm carries the patch. */
export function updateElement(advisory: Advisory, origin: string): string {
  const rpms = advisory.packages.filter(({ format }) => format === "rpm");
  const { status, type, id, title, severity, issued, updated, fixes, reason } = advisory;
  const date = (time: string): string => xmlText(time.replace("T", " ").replace("Z", ""));
  const cves = new Set(cvesOf(advisory));
  const references = fixes.map((fix) => {
    const href = cves.has(fix.id) ? `https://www.cve.org/CVERecord?id=${fix.id}` : "";
    const kind = cves.has(fix.id) ? "cve" : "other";
    return `      <reference href="${href}" id="${xmlText(fix.id)}" title="${xmlText(fix.title || fix.id)}" type="${kind}"/>`;
  });
  const packages = rpms.map(({ name, version, architecture, file }) => {
    const [, epoch = "0", ver = "", rel = ""] = /^(?:(\d+):)?(.*)-([^-]+)$/.exec(version) ?? [];
    return [
      `        <package name="${xmlText(name)}" epoch="${epoch}" version="${xmlText(ver)}" release="${xmlText(rel)}" arch="${xmlText(architecture)}" src="${xmlText(`${name}-${ver}-${rel}.src.rpm`)}">`,
      `          <filename>${xmlText(file)}</filename>`,
      "        </package>",
    ].join("\n");
  });
  return `${[
    `  <update from="${xmlText(origin)}" status="${status}" type="${type}" version="1">`,
    `    <id>${xmlText(id)}</id>`,
    `    <title>${xmlText(title)}</title>`,
    `    <severity>${severityWord(severity)}</severity>`,
    `    <release>${xmlText(origin)}</release>`,
    `    <issued date="${date(issued)}"/>`,
    `    <updated date="${date(updated)}"/>`,
    `    <description>${xmlText(description(advisory, reason))}</description>`,
    "    <references>",
    ...references,
    "    </references>",
    "    <pkglist>",
    `      <collection short="${xmlText(origin)}">`,
    `        <name>${xmlText(origin)}</name>`,
    ...packages,
    "      </collection>",
    "    </pkglist>",
    "  </update>",
  ].join("\n")}\n`;
}

/** dnf knows these by their capital letters; zypper takes either. */
function severityWord(severity: Advisory["severity"]): string {
  return severity === "unspecified" ? "None" : severity.replace(/^./, (first) => first.toUpperCase());
}

function description({ kernel, fixes, title }: Advisory, reason: string | undefined): string {
  const lines = fixes.map(({ id, title: what, cvss }) => {
    const score = cvss === undefined ? "" : ` (CVSS ${cvss.score.toFixed(1)}, ${cvss.vector})`;
    return `- ${id}${what === "" ? "" : `: ${what}`}${score}`;
  });
  return [
    ...(reason === undefined ? [] : [`Retracted: ${reason}`, ""]),
    title,
    "",
    `For the running kernel ${kernel.release}; no reboot is needed.`,
    ...lines,
  ].join("\n");
}

export const updateinfoHead: string = '<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n';
export const updateinfoTail: string = "</updates>\n";
