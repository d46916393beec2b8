/**
 * The fixes that a distribution's changelog lists between two of its versions. Debian's kernel has one bullet for each
 * upstream change, with the CVE numbers that it repairs at the end:
 *
 *     - ext4: validate the extent header of an inline file (CVE-2026-12345)
 *
 * Source of the format: deb-changelog(5). The text is foreign: what is not understood is passed over.
 */
import { type KernelTree, type OnProgress, readChangelog } from "@kgraft/kernel";

export interface ListedFix {
  /** As the changelog has it, without the CVE numbers. */
  readonly title: string;
  /** `CVE-2026-12345`; none where none is assigned. */
  readonly cves: readonly string[];
  /** The distribution's version that brought it. */
  readonly version: string;
}

/** Longer texts are no changelog. */
const maxLength = 64 * 1024 * 1024;
const maxTitleLength = 500;

/** The fixes of the versions after `from`, up to `to`. */
export async function readChangelogOf(
  { suite, architecture }: KernelTree,
  { from, to }: { readonly from: string; readonly to: string },
  work: { readonly onProgress: OnProgress; readonly signal: AbortSignal },
): Promise<ListedFix[]> {
  return parseChangelog(await readChangelog({ version: to, suite, architecture }, work), { from, to });
}

/** Parses a changelog, newest version first. A version that it does not have ends nothing: then all above counts. */
export function parseChangelog(
  text: string,
  { from, to }: { readonly from: string; readonly to: string },
): ListedFix[] {
  const fixes: ListedFix[] = [];
  let version: string | undefined;
  let isWanted = false;
  let item: string[] = [];
  const end = (): void => {
    const fix = isWanted && version !== undefined ? fixOf(item.join(" "), version) : undefined;
    if (fix !== undefined) fixes.push(fix);
    item = [];
  };
  for (const line of text.slice(0, maxLength).split("\n")) {
    const header = /^[a-z0-9][a-z0-9+.-]* \(([^)\s]+)\)/.exec(line)?.[1];
    if (header !== undefined) {
      end();
      version = header;
      if (version === from) break;
      if (version === to) isWanted = true;
    } else if (/^\s+[-*] /.test(line)) {
      end();
      item = [line.replace(/^\s+[-*] /, "")];
    } else if (/^\s+\S/.test(line) && item.length > 0) item.push(line.trim());
    else end();
  }
  end();
  return fixes;
}

function fixOf(text: string, version: string): ListedFix | undefined {
  const cves = [...new Set(text.match(/\bCVE-\d{4}-\d{4,}\b/g))];
  const title = text
    .replaceAll(/\s*\((?:CVE-[^)]*|Closes:[^)]*)\)/g, "")
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, maxTitleLength);
  // Headings: "New upstream stable update: https://..."
  return title === "" || /https?:\/\/|^\[[^\]]*\]$/.test(title) ? undefined : { title, cves, version };
}
