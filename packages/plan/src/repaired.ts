/**
 * What the live patch of a plan repairs, for its manifest. Whoever reads that goes by the ids: a scanner is told by them
 * what is fixed on the machine, and `kgr fixes` since when. So a CVE is named only where everything that the changelog
 * lists for it is carried, and a fix that has none is named by its place in the changelog of its version, which does not
 * change any more: `6.1.192-1#12` is the twelfth.
 */
import type { ManifestFix } from "@kgraft/contract";
import type { PlannedFix } from "./fixes.ts";

/** Each id once. @param fixes all of the plan, carried or not, in the order of the changelog */
export function repairedBy(fixes: readonly PlannedFix[]): readonly ManifestFix[] {
  const open = new Set(
    fixes.flatMap(({ cves, verdict }) =>
      verdict === "needs-author" || verdict === "unassigned" ? cves : [],
    ),
  );
  const counts = new Map<string, number>();
  const repaired = fixes.flatMap(({ title, cves, version, verdict }): ManifestFix[] => {
    const count = (counts.get(version) ?? 0) + 1;
    counts.set(version, count);
    if (verdict !== "carried") return [];
    if (cves.length === 0) return [{ id: `${version}#${count}`, title }];
    return cves.filter((cve) => !open.has(cve)).map((id) => ({ id, title }));
  });
  return [...new Map(repaired.toReversed().map((fix) => [fix.id, fix])).values()].toReversed();
}
