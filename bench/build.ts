/**
 * What `kgraft build` costs beside what cannot be avoided: compiling the changed unit once, and linking a module.
 * The fix is the demonstration's, the command the user's own; between two runs everything is the same but one remark
 * in the fix, so that the patched unit is never in the cache.
 *
 * "Warm" has the objects of the original unit in the cache, "cold" has none. The cache is a scratch one: links to the
 * prepared kernel, and objects of its own. The runs take turns, so that a busy moment of the machine hits all alike.
 *
 * usage: bench/build.ts [ROUNDS]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { compileUnit, diffVersions, fetchKernel, type KernelTree, makeArguments } from "@kgraft/kernel";

const rounds = Number(process.argv[2] ?? 5);
const work = { onProgress: (): void => {}, signal: new AbortController().signal };
const main = resolve(import.meta.dirname, "../packages/cli/src/main.ts");
const unit = "fs/ext4/mballoc.c";

let remarks = 0;
const tree = await fetchKernel({ release: "6.1.0-55-cloud-amd64" }, work);
const fix = await diffVersions({ from: "6.1.192-1", to: "6.1.192-2" }, work);
const scratch = mkdtempSync(join(tmpdir(), "kgraft-bench-"));
try {
  const gcc = await compiler(tree);
  const warm = makeCache("warm");
  kgraftBuild(warm);
  let caches = 0;
  const rows: readonly { readonly name: string; readonly run: () => void; readonly timesMs: number[] }[] = [
    { name: `gcc on ${unit}, once`, run: () => gcc(), timesMs: [] },
    { name: "the same, twice", run: () => (gcc(), gcc()), timesMs: [] },
    { name: "make M=dir, one trivial module", run: trivialModule(tree), timesMs: [] },
    { name: "kgraft build, warm", run: () => kgraftBuild(warm), timesMs: [] },
    { name: "kgraft build, cold", run: () => kgraftBuild(makeCache(`cold${++caches}`)), timesMs: [] },
  ];
  for (let round = 0; round < rounds; round++) {
    for (const { run, timesMs } of rows) {
      const start = performance.now();
      run();
      timesMs.push(performance.now() - start);
    }
  }
  print(rows.map(({ name, timesMs }) => ({ name, timesMs })));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** The unit's own command, its outputs led elsewhere. */
async function compiler(kernel: KernelTree): Promise<() => void> {
  const { command } = await compileUnit(kernel, { unit, sections: "as-shipped" }, work);
  const output = join(scratch, "unit.o");
  const words = command
    .filter((word) => !word.startsWith("-Wp,-MMD"))
    .map((word, index, all) => (all[index - 1] === "-o" ? output : word));
  return () => void execFileSync(words[0]!, words.slice(1), { cwd: kernel.sourceDirectory, stdio: "pipe" }); // a command has a program
}

function trivialModule(kernel: KernelTree): () => void {
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

/** A cache with the same prepared kernel and no objects. */
function makeCache(name: string): string {
  const cache = join(scratch, name);
  const directory = join(cache, "kernels", tree.release);
  mkdirSync(directory, { recursive: true });
  for (const entry of readdirSync(tree.directory)) {
    if (entry !== "objects" && entry !== "glue")
      symlinkSync(join(tree.directory, entry), join(directory, entry));
  }
  return cache;
}

function kgraftBuild(cache: string): void {
  const patch = join(scratch, "fix.patch");
  writeFileSync(patch, fix.text.replace(/^(\+.*;)$/m, `$1 /* ${++remarks} */`));
  execFileSync(
    process.execPath,
    [main, "build", "--kernel", tree.release, patch, "-o", join(scratch, "out")],
    {
      stdio: "pipe",
      env: { ...process.env, KGRAFT_CACHE: cache },
    },
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function print(rows: readonly { readonly name: string; readonly timesMs: readonly number[] }[]): void {
  const times = rows.map(({ timesMs }) => median(timesMs));
  const [once = 0, , link = 0] = times;
  const unavoidable = once + link;
  console.log(`kgraft build beside gcc and make, medians of ${rounds} alternating runs`);
  console.log(
    `${"".padEnd(36)}${"time".padStart(9)}${"of gcc once".padStart(14)}${"of gcc once + module".padStart(23)}`,
  );
  for (const [index, { name }] of rows.entries()) {
    const ms = times[index] ?? 0;
    const ratio = (base: number): string => `${(ms / base).toFixed(2)} x`;
    console.log(
      `${name.padEnd(36)}${`${(ms / 1000).toFixed(2)} s`.padStart(9)}${ratio(once).padStart(14)}${ratio(unavoidable).padStart(23)}`,
    );
  }
}
