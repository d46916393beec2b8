/**
 * Metrics for node_exporter's textfile collector: `kgr metrics -o /var/lib/prometheus/node-exporter/kgr.prom` from
 * a timer. A machine without live patching, or one that is asked by a user who may not see all, says what it can:
 * a gauge that is missing is not known, and is not 0.
 */
import packageJson from "../../package.json" with { type: "json" };
import type { Manifest, MetricFamily, MetricsReport } from "@kgraft/contract";
import { bootMetrics, readBootState } from "../boot-state.ts";
import { type Command, type Context, printJson } from "../command.ts";
import { writeDocument } from "../document.ts";
import { NoLivePatchingError } from "../errors.ts";
import { fixesInForce, manifestsInForce } from "../in-force.ts";
import { kernelRelease } from "../kernel-identity.ts";
import { coverageMetrics } from "../lifecycle/coverage.ts";
import { n } from "../language.ts";
import { checkSupport, type LivePatch, patchInTransition, readFunctions, readPatches } from "../livepatch.ts";
import { expositionText } from "../prometheus.ts";
import type { System } from "../system.ts";
import { countBlocking } from "../blocking-threads.ts";
import { effectiveKernel } from "./uname.ts";

type Sample = MetricFamily["samples"][number];

export const metricsCommand: Command = {
  name: "metrics",
  operand: null,
  options: ["output"],
  brief: n`write metrics for Prometheus (node_exporter's textfile collector)`,
  details: n`With -o FILE.prom the file is replaced as a whole, as the collector wants it.\nOnly root sees how many tasks block a transition.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    const metrics = await readMetrics(context);
    if (invocation.json && !invocation.options.has("output")) {
      printJson(system, { metrics } satisfies MetricsReport);
    } else {
      writeDocument(context, expositionText(metrics));
    }
    return 0;
  },
};

async function readMetrics({ system, policy }: Context): Promise<readonly MetricFamily[]> {
  const supported = isSupported(system);
  const manifests = supported ? await manifestsInForce(system) : [];
  const { running, effective } = effectiveKernel(kernelRelease(system), manifests);
  const kernel = { release: running, effective_release: effective?.release ?? running };
  return [
    gauge("kgr_build_info", "The version of kgr; always 1.", [{ version: packageJson.version }, 1]),
    gauge("kgr_kernel_info", "The running kernel, and the one whose fixes are in force; always 1.", [
      kernel,
      1,
    ]),
    gauge("kgr_livepatch_supported", "Whether the running kernel has live patching.", [
      {},
      supported ? 1 : 0,
    ]),
    ...coverageMetrics(system),
    ...(supported
      ? [
          ...transitionMetrics(system),
          ...patchMetrics(system),
          ...fixMetrics(system, manifests),
          ...bootMetrics(await readBootState(system, policy)),
        ]
      : []),
  ];
}

function isSupported(system: System): boolean {
  try {
    checkSupport(system);
    return true;
  } catch (error) {
    if (error instanceof NoLivePatchingError) {
      return false;
    }
    throw error;
  }
}

function transitionMetrics(system: System): readonly MetricFamily[] {
  const patch = patchInTransition(system);
  const blocking = patch === null ? 0 : countBlocking(system, patch);
  return [
    gauge("kgr_transition_in_progress", "Whether a live patch is in transition.", [
      {},
      patch === null ? 0 : 1,
    ]),
    gauge(
      "kgr_blocking_tasks",
      "Tasks that the transition still waits for.",
      ...(blocking === null ? [] : [[{}, blocking] as const]),
    ),
  ];
}

function patchMetrics(system: System): readonly MetricFamily[] {
  const patches = readPatches(system);
  const each = (value: (patch: LivePatch) => number): readonly (readonly [Sample["labels"], number])[] =>
    patches.map((patch) => [{ patch: patch.name }, value(patch)]);
  return [
    gauge(
      "kgr_patch_enabled",
      "Whether the kernel has the live patch enabled, or only loaded.",
      ...each(({ state }) => (state === "active" || state === "applying" ? 1 : 0)),
    ),
    gauge(
      "kgr_patch_in_transition",
      "Whether the live patch is being applied or reverted.",
      ...each(({ state }) => (state === "applying" || state === "reverting" ? 1 : 0)),
    ),
    gauge(
      "kgr_patch_functions",
      "Functions that the live patch replaces.",
      ...each(({ name }) => readFunctions(system, name).length),
    ),
  ];
}

function fixMetrics(system: System, manifests: readonly Manifest[]): readonly MetricFamily[] {
  const fixes = fixesInForce(system, manifests);
  const startSeconds = (system.epochMs() - system.nowMs()) / 1000;
  return [
    gauge("kgr_fixes_in_force", "Fixes that live patches have put into force.", [{}, fixes.length]),
    gauge(
      "kgr_fix_in_force_since_timestamp_seconds",
      "Since when a fix is in force here.",
      ...fixes.flatMap(({ id, patch, sinceMs }) =>
        sinceMs === null ? [] : [[{ id, patch }, Math.floor(startSeconds + sinceMs / 1000)] as const],
      ),
    ),
    gauge(
      "kgr_fix_cvss_score",
      "How severe is what a fix repairs (CVSS, 0 to 10).",
      ...fixes.flatMap(({ id, patch, cvss }) =>
        cvss === undefined ? [] : [[{ id, patch }, cvss.score] as const],
      ),
    ),
  ];
}

function gauge(
  name: string,
  help: string,
  ...samples: readonly (readonly [Sample["labels"], number])[]
): MetricFamily {
  return { name, help, type: "gauge", samples: samples.map(([labels, value]) => ({ labels, value })) };
}
