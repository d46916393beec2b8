/** What happens at the next boot, for `kgr status` and `kgr metrics`. */
import type { InsertionReport, MetricFamily, StatusReport } from "@kgraft/contract";
import { type HeldPatch, planBoot } from "./boot-plan.ts";
import { type Insertion, insertionTime, readGuard } from "./guard.ts";
import { kernelRelease } from "./kernel-identity.ts";
import type { Policy } from "./policy.ts";
import { storeFolder } from "./store.ts";
import type { System } from "./system.ts";

type BootState = StatusReport["boot"];

/** The state of boot as it is now. */
export async function readBootState(system: System, policy: Policy): Promise<BootState> {
  const plan = await planBoot(system, policy);
  const { armed } = readGuard(system);
  return {
    plan: plan.kind,
    patch: plan.kind === "load" ? plan.patch.name : null,
    held: plan.kind === "load" || plan.kind === "held" ? plan.held.map(heldReport) : [],
    damaged: plan.kind === "off" || plan.kind === "never" ? [] : plan.damaged,
    armed: armed === null ? null : insertionReport(armed),
  };
}

function heldReport({ patch, wentDown }: HeldPatch): InsertionReport {
  return { patch: patch.name, at: insertionTime(wentDown) };
}

function insertionReport(insertion: Insertion): InsertionReport {
  return { patch: insertion.name, at: insertionTime(insertion) };
}

/** Lines for `kgr -v status`; none where nothing is installed and nothing was said about it. */
export function bootLines(
  system: System,
  { plan, patch, held, damaged, armed }: BootState,
): readonly string[] {
  const texts: Readonly<Record<BootState["plan"], string | null>> = {
    load: patch,
    off: "(nothing: kgr=off stands on the kernel command line)",
    never: "(nothing: LIVEPATCH_KERNEL=never)",
    held: "(nothing: see below)",
    none: damaged.length === 0 ? null : "(nothing: see below)",
  };
  const folder = storeFolder(kernelRelease(system));
  return [
    ...(texts[plan] === null ? [] : [`    at boot: ${texts[plan]}`]),
    ...held.map(
      ({ patch: name, at }) =>
        `    not at boot: ${name}, the machine went down during or soon after its insertion of ${at}; ` +
        `lift that with: kgr load ${folder}/${name}.ko`,
    ),
    ...damaged.map((name) => `    not at boot: ${name}, its files are damaged; install its package again`),
    ...(armed === null ? [] : [`    crash guard: armed for ${armed.patch} since ${armed.at}`]),
  ];
}

/** The same for monitoring: a patch that is held back stays so until someone looks, and nothing else tells. */
export function bootMetrics({ plan, patch, held, damaged }: BootState): readonly MetricFamily[] {
  const loaded = patch === null ? [] : [{ labels: { patch }, value: 0 }];
  return [
    {
      name: "kgr_boot_enabled",
      help: "Whether live patches are loaded at boot: neither kgr=off nor LIVEPATCH_KERNEL=never.",
      type: "gauge",
      samples: [{ labels: {}, value: plan === "off" || plan === "never" ? 0 : 1 }],
    },
    {
      name: "kgr_boot_patch_held",
      help: "Whether the crash guard keeps an installed live patch from being loaded at boot.",
      type: "gauge",
      samples: [...held.map((one) => ({ labels: { patch: one.patch }, value: 1 })), ...loaded],
    },
    {
      name: "kgr_boot_patch_damaged",
      help: "Whether the files of an installed live patch are damaged, so that it is not loaded at boot.",
      type: "gauge",
      samples: [...damaged.map((name) => ({ labels: { patch: name }, value: 1 })), ...loaded],
    },
  ];
}
