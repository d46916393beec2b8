/**
 * Until when live patches are made for a kernel release. The publisher's policy is one number of months, counted from
 * the day on which the first live patch for that release was published here, and a table of days that were decided
 * otherwise. SUSE promises a year from the kernel's own release; what a publisher can promise is reckoned from what the
 * publisher did, and that day is known without asking anybody.
 *
 * A day that was promised is kept: a policy that is cut short later holds for later kernels. Only the table, where a
 * kernel is named, can take a promise back.
 */
import type { KernelLifecycle, Lifecycle, LifecyclePolicy } from "@kgraft/contract";
import { patchPackageNames } from "../package/naming.ts";
import { addMonths } from "./days.ts";

/** A year, as with SUSE. */
export const defaultLifecyclePolicy: LifecyclePolicy = { schema: "kgraft-lifecycle-policy/1", months: 12 };

/** A live patch for a kernel release, published on a day (YYYY-MM-DD in UTC). */
export interface PublishedPatch {
  readonly release: string;
  readonly on: string;
}

/**
 * What is promised from now on: what was promised before, and what follows from the live patches published since.
 *
 * @throws BadPackageInput for what is no kernel release
 */
export function promise(
  before: Lifecycle | null,
  published: readonly PublishedPatch[],
  policy: LifecyclePolicy,
): Lifecycle {
  const kernels = new Map((before?.kernels ?? []).map((kernel) => [kernel.release, kernel]));
  for (const { release, on } of published) {
    const known = kernels.get(release);
    if (known === undefined) kernels.set(release, { ...named(release), since: on, until: on });
    else if (on < known.since) kernels.set(release, { ...known, since: on });
  }
  // Thousands of kernels begin on a few days.
  const reckoned = new Map<string, string>();
  for (const kernel of kernels.values()) {
    const { release, since } = kernel;
    const end = reckoned.get(since) ?? addMonths(since, policy.months);
    reckoned.set(since, end);
    const kept = kernel.until > end ? kernel.until : end;
    const until = policy.kernels?.[release] ?? kept;
    if (until !== kernel.until) kernels.set(release, { ...kernel, until });
  }
  const sorted = [...kernels.values()].toSorted((a, b) => (a.release < b.release ? -1 : 1));
  return { schema: "kgraft-lifecycle/1", kernels: sorted };
}

function named(release: string): Pick<KernelLifecycle, "release" | "packages"> {
  const { deb, rpm } = patchPackageNames(release);
  return { release, packages: deb === rpm ? [deb] : [deb, rpm] };
}
