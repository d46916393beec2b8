/**
 * Until when live patches are made for the running kernel. Lifecycle data says it of the packages that bring them, whose
 * names carry the release: `kgraft-patch-6.1.0-55-cloud-amd64` from dpkg, `kgraft-patch-6_1_0-55-cloud-amd64` from rpm,
 * and with SUSE since SLE 15 `kernel-livepatch-5_3_18-57-default`. Lines of single versions speak of those packages and not
 * of the kernel, and do not count here.
 */
import type { MetricFamily, StatusReport } from "@kgraft/contract";
import { kernelRelease } from "../kernel-identity.ts";
import type { System } from "../system.ts";
import { secondsOfDay } from "./end.ts";
import { searchLifecycleData } from "./files.ts";
import { patternOf } from "./pattern.ts";

type Coverage = NonNullable<StatusReport["coverage"]>;

const warnDays = 30;
const daySeconds = 86_400;

/** What lifecycle data says of the running kernel; null where it says nothing. */
export function readCoverage(system: System): Coverage | null {
  const release = kernelRelease(system);
  const underscores = release.replaceAll(".", "_");
  const names = [
    `kgraft-patch-${release.toLowerCase().replaceAll(/[^a-z0-9+.-]/g, "-")}`,
    `kgraft-patch-${underscores}`,
    `kernel-livepatch-${underscores}`,
  ];
  const isNamed = (source: string): boolean =>
    names.some((name) => (patternOf(source)?.(name) ?? null) !== null);
  const isWanted = (content: string): boolean =>
    names.some((name) => content.includes(name)) || /^[^,]*[*/]/.test(content);
  const line = searchLifecycleData(system, isWanted).findLast(
    ({ name, version, until }) => version === "*" && until !== null && isNamed(name),
  );
  const until = line?.until ?? null;
  const end = secondsOfDay(until ?? "");
  if (until === null || end === null) {
    return null;
  }
  return { until, daysLeft: Math.ceil((end - system.epochMs() / 1000) / daySeconds) };
}

/** A line for `kgr -v status` where the end is near, or past. */
export function coverageLines(coverage: Coverage | null): readonly string[] {
  if (coverage === null || coverage.daysLeft > warnDays) {
    return [];
  }
  const { until, daysLeft } = coverage;
  const left = daysLeft <= 0 ? "ended" : daysLeft === 1 ? "1 day left" : `${daysLeft} days left`;
  return [`    live patches until: ${until} (${left}: install a newer kernel)`];
}

/** The same for monitoring, however far away the end is. */
export function coverageMetrics(system: System): readonly MetricFamily[] {
  const coverage = readCoverage(system);
  const release = kernelRelease(system);
  const samples = (labels: Readonly<Record<string, string>>, value: number): MetricFamily["samples"] =>
    coverage === null ? [] : [{ labels: { release, ...labels }, value }];
  return [
    {
      name: "kgr_lifecycle_info",
      help: "The day until which live patches are made for the running kernel; always 1.",
      type: "gauge",
      samples: samples({ until: coverage?.until ?? "" }, 1),
    },
    {
      name: "kgr_lifecycle_end_timestamp_seconds",
      help: "Until when live patches are made for the running kernel.",
      type: "gauge",
      samples: samples({}, secondsOfDay(coverage?.until ?? "") ?? 0),
    },
  ];
}
