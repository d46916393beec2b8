/** What the machine does about live patches when it boots, decided and not done: for `kgr boot` and `kgr status`. */
import { findWentDown, type Guard, type Insertion, isGood, readGuard } from "./guard.ts";
import { kernelRelease } from "./kernel-identity.ts";
import type { Policy } from "./policy.ts";
import { type InstalledPatch, readStore, type StoreContent } from "./store.ts";
import type { System } from "./system.ts";
import { readText } from "./text.ts";

export type BootPlan =
  /** `kgr=off` on the kernel command line. */
  | { readonly kind: "off" }
  /** LIVEPATCH_KERNEL=never */
  | { readonly kind: "never" }
  /** No live patch is installed for the running release. */
  | { readonly kind: "none"; readonly damaged: readonly string[] }
  /** The crash guard speaks against all that are installed. */
  | { readonly kind: "held"; readonly held: readonly HeldPatch[]; readonly damaged: readonly string[] }
  | {
      readonly kind: "load";
      readonly patch: InstalledPatch;
      /** Whether the machine has stayed up with it before. */
      readonly good: boolean;
      /** Newer ones that the crash guard speaks against. */
      readonly held: readonly HeldPatch[];
      readonly damaged: readonly string[];
    };

/** An installed live patch that the crash guard speaks against, and why. */
export interface HeldPatch {
  readonly patch: InstalledPatch;
  readonly wentDown: Insertion;
}

/** Decides by the kernel command line, the policy, what is installed, and the crash guard, in this order. */
export async function planBoot(system: System, policy: Policy): Promise<BootPlan> {
  if (isSwitchedOff(system)) {
    return { kind: "off" };
  }
  if (policy.livepatchKernel === "never") {
    return { kind: "never" };
  }
  const store = await readStore(system, kernelRelease(system));
  return choose(store, readGuard(system), policy.livepatchKernel === "always");
}

function choose({ patches, damaged }: StoreContent, guard: Guard, always: boolean): BootPlan {
  const held: HeldPatch[] = [];
  for (const patch of patches) {
    const { sha256 } = patch.manifest.module;
    const wentDown = findWentDown(guard, sha256);
    if (wentDown === null || always) {
      return { kind: "load", patch, good: isGood(guard, sha256), held, damaged };
    }
    held.push({ patch, wentDown });
  }
  return held.length === 0 ? { kind: "none", damaged } : { kind: "held", held, damaged };
}

/** Whether the kernel command line says `kgr=off`; of several the last counts, as with the kernel's own parameters. */
export function isSwitchedOff(system: System): boolean {
  const words = (readText(system, "/proc/cmdline") ?? "").trim().split(/\s+/);
  return words.findLast((word) => word.startsWith("kgr=")) === "kgr=off";
}
