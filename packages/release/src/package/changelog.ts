/**
 * A package's changelog, in both formats. Debian's is also read: the package of the version before carries all
 * entries so far, and the new one goes on from them.
 * Source: deb-changelog(5); "Changelogs" of the RPM manual.
 */
import { BadPackageInput } from "./errors.ts";
import { fill } from "./fill.ts";

export interface ChangelogEntry {
  /** Version and revision, such as `2-1`. */
  readonly version: string;
  readonly changes: readonly string[];
  /** `Name <mail address>`. */
  readonly maintainer: string;
  readonly dateSeconds: number;
  /** Whether it repairs something that can be attacked. */
  readonly isSecurity: boolean;
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** Debian's format, as `/usr/share/doc/NAME/changelog.Debian.gz` has it. */
export function debChangelog(name: string, entries: readonly ChangelogEntry[]): string {
  return entries
    .map(({ version, changes, maintainer, dateSeconds, isSecurity }) => {
      const urgency = isSecurity ? "high" : "medium";
      const lines = changes
        .map((change) => fill(change.trim(), 80, "    ").replace(/^ {4}/, "  * "))
        .join("");
      const date = new Date(dateSeconds * 1000).toUTCString().replace(/GMT$/, "+0000");
      return `${name} (${version}) stable; urgency=${urgency}\n\n${lines}\n -- ${maintainer}  ${date}\n`;
    })
    .join("\n");
}

/** What stands under %changelog of a spec file. */
export function rpmChangelog(entries: readonly ChangelogEntry[]): string {
  return entries
    .map(({ version, changes, maintainer, dateSeconds }) => {
      const date = new Date(dateSeconds * 1000);
      const day = String(date.getUTCDate()).padStart(2, "0");
      // 0 to 6 and 0 to 11 by definition.
      const words = `${days[date.getUTCDay()]!} ${months[date.getUTCMonth()]!} ${day} ${date.getUTCFullYear()}`;
      // rpm expands macros even here.
      const lines = changes.map((change) => `- ${oneLine(change).replaceAll("%", "%%")}\n`).join("");
      return `* ${words} ${maintainer} - ${version}\n${lines}`;
    })
    .join("\n");
}

const heading = /^\S+ \((?<version>[^()\s]+)\) [^;]+; urgency=(?<urgency>\w+)/;
const trailer = /^ -- (?<maintainer>.+ <[^<>]*>) {2}(?<date>.+)$/;

/** Reads a changelog in Debian's format. @throws BadPackageInput */
export function parseChangelog(text: string, name: string): readonly ChangelogEntry[] {
  const entries: ChangelogEntry[] = [];
  let open: { readonly version: string; readonly isSecurity: boolean; readonly changes: string[] } | null =
    null;
  for (const [at, line] of text.split("\n").entries()) {
    const head = heading.exec(line)?.groups;
    const end = trailer.exec(line)?.groups;
    if (open === null && head !== undefined) {
      open = { version: head["version"]!, isSecurity: head["urgency"] === "high", changes: [] }; // groups that always match
    } else if (open !== null && end !== undefined) {
      const dateSeconds = Math.floor(Date.parse(end["date"]!) / 1000);
      entries.push({ ...open, maintainer: end["maintainer"]!, dateSeconds });
      open = null;
    } else if (open !== null && /^ {2,}\S/.test(line)) {
      const { changes } = open;
      const more = /^ {4,}\S/.test(line) ? changes.pop() : undefined;
      changes.push(more === undefined ? line.trim().replace(/^\* /, "") : `${more} ${line.trim()}`);
    } else if (line.trim() !== "") {
      throw new BadPackageInput(
        `cannot read changelog of ${name}: line ${at + 1} is ${JSON.stringify(line.slice(0, 60))}, wanted ${open === null ? "NAME (VERSION) ...; urgency=..." : "a change or its end"}`,
        "deb-changelog(5) has the format",
      );
    }
  }
  return entries;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
