/**
 * kpatch's difference engine, from its source package, and ours on the same pairs of objects. Both get the objects
 * that the kernel's own compiler made; kpatch's gets them without type information (.BTF), which it does not know and
 * would take for a change.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  ChangeRefused,
  type KernelTable,
  NoFunctionalChange,
  objectDelta,
  parseSymvers,
  tableOfImage,
} from "@kgraft/build/engine";
import { unpackSource } from "@kgraft/host/build";
import { type KernelTree, readStructLayouts, withElfFile } from "@kgraft/kernel";

export const kpatchVersion = "0.9.10";
/** Its source package, of trixie. */
export const kpatchSource = {
  name: "kpatch",
  file: `kpatch_${kpatchVersion}.orig.tar.gz`,
  sha256: "94a87a24570d3e202c3732726169af07af3754caa6eff73a179f362cead57028",
};

export interface Pair {
  readonly unit: string;
  /** `vmlinux` or a module. */
  readonly object: string;
  /** Image of that object with all its symbols. */
  readonly image: string;
  readonly original: string;
  readonly patched: string;
}

export type Engine = "carried" | "unchanged" | "refused" | "failed";

export interface PairVerdicts {
  readonly unit: string;
  readonly theirs: Engine;
  readonly ours: Engine;
  /** What each of them says of a refusal, the first lines. */
  readonly theirWords: string;
  readonly ourWords: string;
}

/** Of one pair. */
export interface EngineTimes {
  readonly theirsMs: number;
  readonly oursOneProcessEachMs: number;
  readonly oursOneProcessMs: number;
}

/** The program, built on first use. */
async function createDiffObject(cache: string): Promise<string> {
  const folder = join(cache, `kpatch-${kpatchVersion}`);
  const program = join(folder, "kpatch-build/create-diff-object");
  if (existsSync(program)) return program;
  const temporary = `${folder}.tmp-${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  try {
    await unpackSource(kpatchSource, temporary, {
      onProgress: () => {},
      signal: new AbortController().signal,
    });
    execFileSync("make", ["-C", join(temporary, "kpatch-build"), "create-diff-object"], { stdio: "pipe" });
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return program;
}

/** Sizes of special sections' entries, as kpatch-build reads them from the kernel and hands them over. */
const structures: Readonly<Record<string, string>> = {
  ALT_STRUCT_SIZE: "alt_instr",
  BUG_STRUCT_SIZE: "bug_entry",
  EX_STRUCT_SIZE: "exception_table_entry",
  JUMP_STRUCT_SIZE: "jump_entry",
  ORC_STRUCT_SIZE: "orc_entry",
  PARA_STRUCT_SIZE: "paravirt_patch_site",
  STATIC_CALL_STRUCT_SIZE: "static_call_site",
};

export async function compareEngines(
  kernel: KernelTree,
  pairs: readonly Pair[],
  { cache, scratch }: { readonly cache: string; readonly scratch: string },
): Promise<{ readonly verdicts: readonly PairVerdicts[]; readonly times: readonly EngineTimes[] }> {
  const program = await createDiffObject(cache);
  const sizes = withElfFile(kernel.vmlinux, "vmlinux", (file) =>
    readStructLayouts(file, Object.values(structures)),
  );
  const env = {
    ...process.env,
    ...Object.fromEntries(
      Object.entries(structures).map(([name, type]) => [name, String(sizes.get(type)?.sizeBytes ?? "")]),
    ),
  };
  const exports = parseSymvers(readFileSync(kernel.moduleSymvers, "utf8"), "Module.symvers");
  const tables = new Map<string, { readonly text: string; readonly table: KernelTable }>();
  const times: EngineTimes[] = [];
  const verdicts = pairs.map((pair): PairVerdicts => {
    let known = tables.get(pair.object);
    if (known === undefined) tables.set(pair.object, (known = tableOf(pair, scratch)));
    const [original, patched] = withoutTypes(pair, scratch);
    const output = join(scratch, "out.o");
    const words = [original, patched, pair.object, known.text, kernel.moduleSymvers, "kgraft_bench", output];
    const theirs = timed(() => spawnSync(program, words, { env, encoding: "utf8" }));
    const oneProcessEach = timed(() => ownProcess(pair, kernel, output));
    const { table } = known;
    const ours = timed(() => inProcess(pair, table, exports));
    times.push({
      theirsMs: theirs.tookMs,
      oursOneProcessEachMs: oneProcessEach.tookMs,
      oursOneProcessMs: ours.tookMs,
    });
    const lines = `${theirs.result.stderr}${theirs.result.stdout}`.split("\n");
    return {
      unit: pair.unit,
      theirs: theirVerdict(theirs.result.status),
      ours: ours.result.verdict,
      theirWords: lines
        .filter((line) => /error|unsupported|changed sect|can't/i.test(line))
        .slice(0, 2)
        .join("; "),
      ourWords: ours.result.words,
    };
  });
  return { verdicts, times };
}

function theirVerdict(status: number | null): Engine {
  return ({ 0: "carried", 2: "refused", 3: "unchanged" } as const)[status ?? -1] ?? "failed";
}

function tableOf({ object, image }: Pair, scratch: string): { text: string; table: KernelTable } {
  const text = join(scratch, `${object}.symbols`);
  writeFileSync(text, execFileSync("readelf", ["-s", "--wide", image], { maxBuffer: 2 ** 30 }));
  return { text, table: withElfFile(image, object, tableOfImage) };
}

function withoutTypes({ original, patched }: Pair, scratch: string): readonly [string, string] {
  const [first, second] = [join(scratch, "original.o"), join(scratch, "patched.o")] as const;
  execFileSync("objcopy", ["--remove-section=.BTF", original, first]);
  execFileSync("objcopy", ["--remove-section=.BTF", patched, second]);
  return [first, second];
}

const kgraft = resolve(import.meta.dirname, "../../kgraft");

function ownProcess({ object, image, original, patched }: Pair, kernel: KernelTree, output: string): void {
  const words = [
    "--object",
    object,
    "--symbols",
    image,
    "--symvers",
    kernel.moduleSymvers,
    "--undefined",
    "-o",
    output,
  ];
  spawnSync(kgraft, ["delta", original, patched, ...words], { stdio: "ignore" });
}

function inProcess(
  { unit, object, original, patched }: Pair,
  table: KernelTable,
  exports: ReturnType<typeof parseSymvers>,
): { readonly verdict: Engine; readonly words: string } {
  try {
    objectDelta({
      original: { name: unit, bytes: readFileSync(original) },
      patched: { name: unit, bytes: readFileSync(patched) },
      object,
      table,
      exports,
      leaveUndefined: true,
    });
    return { verdict: "carried", words: "" };
  } catch (error) {
    if (error instanceof NoFunctionalChange) return { verdict: "unchanged", words: "" };
    if (!(error instanceof ChangeRefused)) return { verdict: "failed", words: String(error) };
    const [first] = error.reasons;
    return { verdict: "refused", words: `${first?.code}: ${first?.message}` };
  }
}

function timed<T>(work: () => T): { readonly result: T; readonly tookMs: number } {
  const start = performance.now();
  const result = work();
  return { result, tookMs: performance.now() - start };
}
