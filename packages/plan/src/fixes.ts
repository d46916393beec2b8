/**
 * Which files a fix of the changelog changed. The changelog names no files; but a kernel fix's title begins with its
 * subsystem (`scsi: qla2xxx: Fix ...`), often named like a folder or file, and may name a function that the change is
 * in. Where both leave no doubt the fix gets its files; a file that no fix gets stands for itself.
 */
import type { ListedFix } from "./changelog.ts";
import type { PlannedUnit } from "./plan.ts";
import type { Update } from "./update.ts";

export interface PlannedFix extends ListedFix {
  /** Changed files that are this fix's, as far as can be told; none where it cannot. */
  readonly files: readonly string[];
  readonly verdict: FixVerdict;
}

export type FixVerdict =
  /** All units that its files are in are carried, or do not change by it. */
  | "carried"
  /** A unit that it is in cannot be carried as it is. */
  | "needs-author"
  /** None of its files is compiled in this configuration. */
  | "not-compiled"
  /** The changelog does not say which files it changed, and nothing else does. */
  | "unassigned";

/** More files than a single fix has: the title was too general. */
const maxFiles = 6;

export function assignFixes(
  fixes: readonly ListedFix[],
  update: Update,
  units: readonly PlannedUnit[],
  unitsReading: (path: string) => readonly string[],
): PlannedFix[] {
  const verdicts = new Map(units.map(({ unit, verdict }) => [unit, verdict]));
  const files = update.files.map(({ path }) => ({
    path,
    words: wordsOf(path),
    hunks: hunksOf(update, path),
  }));
  return fixes.map((fix) => {
    const mine = filesOf(fix.title, files);
    return { ...fix, files: mine, verdict: verdictOf(mine, verdicts, unitsReading) };
  });
}

interface IndexedFile {
  readonly path: string;
  readonly words: ReadonlySet<string>;
  readonly hunks: string;
}

function filesOf(title: string, files: readonly IndexedFile[]): string[] {
  const words = subsystemsOf(title);
  const named = [...title.matchAll(/\b[a-z]\w*_\w+\b|\b\w+(?=\(\))/g)].map(([name]) => name);
  let candidates =
    words.length === 0 ? [] : files.filter(({ words: known }) => words.every((word) => known.has(word)));
  if (named.length > 0) {
    const pool = candidates.length > 0 ? candidates : files;
    const containing = pool.filter(({ hunks }) => named.every((name) => hunks.includes(name)));
    if (containing.length > 0) candidates = containing;
  }
  return candidates.length <= maxFiles ? candidates.map(({ path }) => path) : [];
}

/** `scsi: qla2xxx: Fix x` -> scsi, qla2xxx; `[x86] KVM: nVMX: y` -> x86, kvm, nvmx */
function subsystemsOf(title: string): string[] {
  const prefix = /^(?:\[[^\]]*\]\s*)?((?:[\w./ ,-]{1,30}:\s*)+)/.exec(title)?.[1] ?? "";
  return prefix
    .split(/[:/,\s]+/)
    .map(normal)
    .filter((word) => word !== "" && !umbrella.has(word));
}

/** Words of titles that are in no path, or that path says otherwise. */
const umbrella: ReadonlySet<string> = new Set([
  "wifi",
  "treewide",
  "revert",
  "nvmx",
  "nsvm",
  "staging",
  "fs",
  "mm",
  "net",
  "drm",
  "amd",
]);

function wordsOf(path: string): ReadonlySet<string> {
  const parts = path
    .replace(/\.[ch]$/, "")
    .split("/")
    .map(normal);
  return new Set(parts.flatMap((part) => [part, ...part.split("_")]));
}

function normal(word: string): string {
  return word.toLowerCase().replaceAll("-", "_");
}

function hunksOf({ change }: Update, path: string): string {
  const text = change.texts.get(path);
  if (text === undefined) return "";
  const known = new Set(text.original?.split("\n"));
  const removedFrom = new Set(text.patched.split("\n"));
  const added = text.patched.split("\n").filter((line) => !known.has(line));
  const removed = (text.original ?? "").split("\n").filter((line) => !removedFrom.has(line));
  return [...added, ...removed].join("\n");
}

function verdictOf(
  files: readonly string[],
  verdicts: ReadonlyMap<string, PlannedUnit["verdict"]>,
  unitsReading: (path: string) => readonly string[],
): FixVerdict {
  if (files.length === 0) return "unassigned";
  const found = files.flatMap((file) =>
    (verdicts.has(file) ? [file] : unitsReading(file)).flatMap((unit) => verdicts.get(unit) ?? []),
  );
  if (found.length === 0) return "not-compiled";
  return found.includes("needs-author") ? "needs-author" : "carried";
}
