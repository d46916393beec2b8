/**
 * When the support of each installed package ends. Lifecycle data says so line by line, and the last line that fits
 * counts; a package that no line speaks of is supported as long as its product, unless a newer version waits for it: then
 * its own support has ended.
 */
import type { LifecycleLine, LifecyclePackage, LifecycleProduct, SupportEnd } from "@kgraft/contract";
import { rankOf, secondsOfDay } from "./end.ts";
import type { Installed } from "./installed.ts";
import { isPlain, type Pattern, patternOf } from "./pattern.ts";
import type { Wanted } from "./successor.ts";

/** What the lines say of a package. */
interface Said {
  until: string | null;
  updateUntil: string | null;
  versions: string | null;
  successor: Wanted | null;
}

/** A package, and whether anything but its product says when its support ends. */
export interface Solved {
  readonly package: LifecyclePackage;
  readonly differs: boolean;
}

/** What lifecycle data says of each package that a line speaks of. */
export function applyLines(
  packages: readonly Installed[],
  lines: readonly LifecycleLine[],
): ReadonlyMap<Installed, Said> {
  const byName = Map.groupBy(packages, ({ name }) => name);
  const said = new Map<Installed, Said>();
  for (const line of lines) {
    const [name, version] = [patternOf(line.name), patternOf(line.version)];
    const candidates = isPlain(line.name) ? (byName.get(line.name) ?? []) : packages;
    for (const candidate of candidates) {
      const parts = name?.(candidate.name) ?? null;
      if (parts !== null && version !== null) {
        const before = said.get(candidate) ?? noWord;
        said.set(candidate, applyLine(before, line, version, candidate, parts));
      }
    }
  }
  return said;
}

const noWord: Said = { until: null, updateUntil: null, versions: null, successor: null };

function applyLine(
  before: Said,
  line: LifecycleLine,
  version: Pattern,
  candidate: Installed,
  parts: readonly string[],
): Said {
  const fits = (text: string | null): boolean => text !== null && version(text) !== null;
  return {
    until: fits(candidate.version) ? line.until : before.until,
    updateUntil: fits(candidate.update) ? line.until : before.updateUntil,
    // As with zypper's plugin: whether or not it is the version that is installed.
    versions: line.version,
    successor: line.successor === null ? before.successor : { of: candidate, source: line.successor, parts },
  };
}

/** When a package's support ends. */
export function solve(
  { name, version, update }: Installed,
  said: Said | null,
  successor: LifecyclePackage["successor"],
  product: LifecycleProduct | null,
  nowSeconds: number,
): Solved {
  const { until, updateUntil, versions } = said ?? noWord;
  const own = until === null ? null : hasPassed(until, nowSeconds) ? "now" : until;
  const byProduct = product?.end ?? "never";
  return {
    differs: own !== null || update !== null || successor !== null,
    package: {
      name,
      version,
      versions,
      end: successor === null ? (own ?? (update === null ? byProduct : "now")) : "now",
      update: update === null ? null : { version: update, end: updateUntil ?? byProduct },
      successor,
      url: product?.url ?? null,
    },
  };
}

function hasPassed(until: SupportEnd, nowSeconds: number): boolean {
  return (secondsOfDay(until) ?? 0) <= nowSeconds;
}

/** By their end, and otherwise in the order in which they stand. */
export function sortByEnd(packages: readonly Solved[]): readonly Solved[] {
  return packages.toSorted((a, b) => rankOf(a.package.end) - rankOf(b.package.end));
}
