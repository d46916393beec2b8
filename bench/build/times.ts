/**
 * What `kgraft build` costs beside what cannot be avoided: compiling the changed unit once, and linking a module.
 * The fix is the demonstration's, the command the user's own; between two runs everything is the same but one remark
 * in the fix, so that the patched unit is never in the cache.
 *
 * "Warm" has the objects of the original unit in the cache, "cold" has none. The runs take turns, so that a busy moment
 * of the machine hits all alike.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { diffVersions, fetchKernel, type KernelTree, makeArguments } from "@kgraft/kernel";
import { emptyCache } from "./cache.ts";
import { compiler } from "./compiler.ts";
import { median } from "../median.ts";

const work = { onProgress: (): void => {}, signal: new AbortController().signal };
const kgraft = resolve(import.meta.dirname, "../../kgraft");
const unit = "fs/ext4/mballoc.c";

export interface Timed {
  readonly name: string;
  /** Median of the rounds. */
  readonly ms: number;
  readonly ofGccOnce: number;
  readonly ofGccAndModule: number;
}

export async function buildTimes(rounds: number): Promise<readonly Timed[]> {
  const tree = await fetchKernel({ release: "6.1.0-55-cloud-amd64" }, work);
  const fix = await diffVersions({ from: "6.1.192-1", to: "6.1.192-2" }, work);
  const scratch = mkdtempSync(join(tmpdir(), "kgraft-bench-"));
  let [remarks, caches] = [0, 0];
  const build = (cache: string): void => {
    const patch = join(scratch, "fix.patch");
    writeFileSync(patch, fix.text.replace(/^(\+.*;)$/m, `$1 /* ${++remarks} */`));
    const words = ["build", "--kernel", tree.release, patch, "-o", join(scratch, "out")];
    execFileSync(kgraft, words, { stdio: "pipe", env: { ...process.env, KGRAFT_CACHE: cache } });
  };
  try {
    const gcc = await compiler(tree, unit, scratch);
    const warm = emptyCache(tree, join(scratch, "warm"));
    build(warm);
    const runs: readonly { readonly name: string; readonly run: () => void; readonly timesMs: number[] }[] = [
      { name: `gcc on ${unit}, once`, run: gcc, timesMs: [] },
      { name: "the same, twice", run: () => (gcc(), gcc()), timesMs: [] },
      { name: "make M=dir, one trivial module", run: trivialModule(tree, scratch), timesMs: [] },
      { name: "kgraft build, warm", run: () => build(warm), timesMs: [] },
      {
        name: "kgraft build, cold",
        run: () => build(emptyCache(tree, join(scratch, `cold${++caches}`))),
        timesMs: [],
      },
    ];
    for (let round = 0; round < rounds; round++) {
      for (const { run, timesMs } of runs) {
        const start = performance.now();
        run();
        timesMs.push(performance.now() - start);
      }
    }
    const medians = runs.map(({ timesMs }) => median(timesMs));
    const [once = 0, , link = 0] = medians;
    return runs.map(({ name }, index) => {
      const ms = medians[index]!; // one for each run
      return { name, ms, ofGccOnce: ms / once, ofGccAndModule: ms / (once + link) };
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function trivialModule(kernel: KernelTree, scratch: string): () => void {
  return () => {
    const directory = mkdtempSync(join(scratch, "module-"));
    writeFileSync(join(directory, "Makefile"), "obj-m := trivial.o\n");
    writeFileSync(
      join(directory, "trivial.c"),
      '#include <linux/module.h>\nMODULE_LICENSE("GPL");\nint init_module(void) { return 0; }\n',
    );
    const args = ["-C", kernel.sourceDirectory, ...makeArguments(kernel), `M=${directory}`, "modules"];
    execFileSync("make", args, { stdio: "pipe" });
  };
}
