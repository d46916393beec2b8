/**
 * What a unit of the update costs, beside gcc on the same unit: a sample of the units, spread over the update, compiled
 * before and after and compared, with nothing in the cache (cold) and then with everything (warm). One after the other,
 * so the times are of one core.
 */
import { join } from "node:path";
import { openChange } from "@kgraft/build";
import { openKernel } from "@kgraft/kernel";
import type { KernelTree } from "@kgraft/kernel";
import type { Plan } from "@kgraft/plan";
import { emptyCache } from "../build/cache.ts";
import { compiler } from "../build/compiler.ts";

export interface UnitTimes {
  readonly units: number;
  readonly gccMs: number;
  readonly coldMs: number;
  readonly warmMs: number;
}

const sampleSize = 30;

export async function unitTimes(tree: KernelTree, plan: Plan, scratch: string): Promise<UnitTimes> {
  const usual = process.env["KGRAFT_CACHE"];
  process.env["KGRAFT_CACHE"] = emptyCache(tree, join(scratch, "cold"));
  try {
    const cold = await openKernel(tree.release);
    await using opened = await openChange(cold, plan.update.change, new AbortController().signal);
    const units = plan.units.filter(({ verdict }) => verdict !== "needs-author");
    const step = Math.max(Math.floor(units.length / sampleSize), 1);
    const sample = units.filter((_, index) => index % step === 0);
    const times = { units: sample.length, gccMs: 0, coldMs: 0, warmMs: 0 };
    for (const unit of sample) {
      const start = performance.now();
      await opened.compare(await opened.compile(unit));
      const compared = performance.now();
      await opened.compare(await opened.compile(unit));
      const again = performance.now();
      const gcc = await compiler(cold, unit.unit, scratch);
      const before = performance.now();
      gcc();
      times.coldMs += compared - start;
      times.warmMs += again - compared;
      times.gccMs += performance.now() - before;
    }
    return times;
  } finally {
    if (usual === undefined) delete process.env["KGRAFT_CACHE"];
    else process.env["KGRAFT_CACHE"] = usual;
  }
}
