/**
 * Which versions stay listed. Old patches are wanted for two reasons: to go back to one when the newest proves bad,
 * and because a machine may be asked for by a version in the middle of a rollout. So a version stays as long as any of
 * this holds: it is among the newest of its package; it was published a short while ago; it is the initial patch, to
 * which going back means having none.
 *
 * What leaves the index stays downloadable for a while: a client may still have the index that names it.
 */
import { defaultLifecyclePolicy } from "../lifecycle/promise.ts";
import type { LedgerPackage, RepositorySettings } from "./ledger.ts";

export const defaultSettings: RepositorySettings = {
  origin: "kgraft",
  validDays: 14,
  keepVersions: 5,
  keepDays: 90,
  lifecycle: defaultLifecyclePolicy,
};

const daySeconds = 86_400;

/** How long a file that no index names stays. */
export const graceSeconds: number = 7 * daySeconds;

/** The packages that leave the index. @param time seconds since 1970 */
export function outdated(
  packages: readonly LedgerPackage[],
  { keepVersions, keepDays }: RepositorySettings,
  time: number,
): readonly LedgerPackage[] {
  const lines = new Map<string, LedgerPackage[]>();
  for (const one of packages) {
    const line = `${one.format} ${one.name} ${one.architecture}`;
    const known = lines.get(line);
    if (known === undefined) lines.set(line, [one]);
    else known.push(one);
  }
  return [...lines.values()].flatMap((line) =>
    line
      // In the order of their publication, which the ledger keeps.
      .slice(0, Math.max(0, line.length - keepVersions))
      .filter((one) => !isInitial(one) && one.added < time - keepDays * daySeconds),
  );
}

function isInitial({ name, version }: LedgerPackage): boolean {
  return name.startsWith("kgraft-patch-") && /^1-\d+$/.test(version);
}
