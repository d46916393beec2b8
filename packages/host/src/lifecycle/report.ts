/** What a report shows of a machine: everything, what ends by a day, or named packages; less what an earlier one showed. */
import type { LifecycleProduct, LifecycleReport } from "@kgraft/contract";
import { dayOfSeconds, rankOf } from "./end.ts";
import type { Saved, SavedEntry } from "./saved.ts";
import { type Solved, sortByEnd } from "./solve.ts";

export type Request =
  | { readonly kind: "all" }
  /** Ends at or before this moment, in seconds since 1970. */
  | { readonly kind: "before"; readonly seconds: number }
  | { readonly kind: "names"; readonly names: readonly string[] };

export interface Answer {
  readonly report: LifecycleReport;
  /** What a saved report has to hold: with what this one leaves out, because an earlier one showed it. */
  readonly entries: readonly SavedEntry[];
  /** 1 where it is empty, or a package that was asked for is not installed. */
  readonly status: 0 | 1;
}

/** Chooses what to show. */
export function makeReport(
  products: readonly LifecycleProduct[],
  packages: readonly Solved[],
  request: Request,
  saved: Saved | null,
): Answer {
  if (request.kind === "names") {
    return namedReport(packages, request.names);
  }
  const endsInTime = (end: string): boolean => request.kind === "all" || rankOf(end) <= request.seconds;
  const inQuestion = products.filter(
    ({ end, codestream }) => endsInTime(end) || (codestream !== null && endsInTime(codestream.end)),
  );
  const ending = packages.filter((one) => endsInTime(one.package.end));
  const different = ending.filter(({ differs }) => differs);
  const isNew = newcomers(saved);
  const shownProducts = inQuestion.filter((product) => isNew(productEntry(product)));
  const shownPackages = sortByEnd(different.filter((one) => isNew(packageEntry(one))));
  return {
    report: {
      before: request.kind === "all" ? null : dayOfSeconds(request.seconds),
      since: saved === null ? null : new Date(saved.savedAt * 1000).toISOString().replace(/\.\d+Z$/, "Z"),
      products: shownProducts,
      packages: shownPackages.map((one) => one.package),
      packagesNotListed: ending.length - shownPackages.length,
      notInstalled: [],
    },
    entries: [...inQuestion.map(productEntry), ...different.map(packageEntry)],
    status: shownProducts.length === 0 && shownPackages.length === 0 ? 1 : 0,
  };
}

function namedReport(packages: readonly Solved[], names: readonly string[]): Answer {
  const byName = Map.groupBy(packages, (one) => one.package.name);
  const notInstalled = names.filter((name) => !byName.has(name));
  return {
    report: {
      before: null,
      since: null,
      products: [],
      packages: names.flatMap((name) => (byName.get(name) ?? []).map((one) => one.package)),
      packagesNotListed: 0,
      notInstalled,
    },
    entries: [],
    status: notInstalled.length === 0 ? 0 : 1,
  };
}

function newcomers(saved: Saved | null): (entry: SavedEntry) => boolean {
  const known = new Set(saved?.entries.map(keyOf));
  return (entry) => !known.has(keyOf(entry));
}

function productEntry({ name, end }: LifecycleProduct): SavedEntry {
  return { kind: "product", name, version: null, end: rankOf(end) };
}

function packageEntry({ package: { name, version, end } }: Solved): SavedEntry {
  return { kind: "package", name, version, end: rankOf(end) };
}

function keyOf({ kind, name, version, end }: SavedEntry): string {
  return JSON.stringify([kind, name, version, end]);
}
