/**
 * `kgraft plan` of an update of several units, in a cache of its own so that nobody has compiled them: interrupted, begun
 * again on a terminal, and once more.
 */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { fetchKernel } from "@kgraft/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cacheDirectory } from "../../kernel/src/cache-directory.ts";
import { diffOf } from "../../build/test/kernel.ts";
import { release, runKgraft, scratch, startKgraft } from "./kgraft.ts";

const program = resolve(import.meta.dirname, "../../../kgraft");
const names = ["cmdline", "consoles", "devices", "loadavg", "softirqs", "uptime", "version"];
const units = names.map((name) => `fs/proc/${name}.c`);
const words = ["plan", "--kernel", release, "--from", "6.1.192-1", "--to", "6.1.192-2"];

let directory: Awaited<ReturnType<typeof scratch>>;
let environment: NodeJS.ProcessEnv;
let objects: string;

const path = (name: string): string => join(directory.path, name);

beforeAll(async () => {
  const work = { onProgress: () => {}, signal: new AbortController().signal };
  const kernel = await fetchKernel({ release }, work);
  // So that the changelogs of both versions are there.
  await runKgraft(words);
  directory = await scratch();
  const cache = path("cache");
  const own = join(cache, "kernels", release);
  for (const folder of [own, join(cache, "diffs"), path("tmp"), path("out")])
    await mkdir(folder, { recursive: true });
  await link(cacheDirectory(), cache);
  await link(kernel.directory, own, "objects");
  const lastWords = "\treturn 0;\n}";
  const edit = { find: lastWords, replace: `\tpr_info_once("kgraft: shown\\n");\n${lastWords}` };
  const files = units.map(async (unit) => ({
    path: unit,
    kind: "changed",
    addedLines: 1,
    removedLines: 0,
    text: (await diffOf(kernel, "update", [{ path: unit, ...edit }])).text,
  }));
  const difference = { schema: "kgraft-diff/1", files: await Promise.all(files) };
  await writeFile(join(cache, "diffs/6.1.192-1..6.1.192-2.json"), JSON.stringify(difference));
  environment = { KGRAFT_CACHE: cache, TMPDIR: path("tmp") };
  objects = join(own, "objects");
});

afterAll(() => directory[Symbol.asyncDispose]());

/** Everything of a folder that is not there yet, by links; but not this one. */
async function link(from: string, to: string, except = ""): Promise<void> {
  const there = new Set([...(await readdir(to)), except]);
  for (const name of await readdir(from)) {
    if (!there.has(name)) await symlink(join(from, name), join(to, name));
  }
}

/** What was compiled: each file, and which it is: one that is written anew is another. */
async function compiled(): Promise<ReadonlyMap<string, number>> {
  const all = await readdir(objects, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // One that was being written may have its own name by now.
  const numbered = files.map(async (file) => [file, (await stat(file).catch(() => undefined))?.ino] as const);
  const found = await Promise.all(numbered);
  return new Map(found.filter((one): one is readonly [string, number] => one[1] !== undefined));
}

test("an interrupted plan leaves nothing half done", async () => {
  const running = startKgraft(
    [...words, "--build", "-o", path("out"), "--html", path("out/plan.html")],
    environment,
  );
  while ([...(await compiled()).keys()].filter((file) => file.endsWith(".json")).length < 4) await sleep(50);
  running.interrupt();
  const { code, stdout, stderr } = await running.finished;
  expect(stderr).toMatch(/kgraft: interrupted by SIGINT/);
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  expect(await running.processes()).toEqual([]);
  expect(await readdir(path("out"))).toEqual([]);
  expect(await readdir(path("tmp"))).toEqual([]);
  // Whole objects and what says of each what it was compiled from, under their own names.
  const left = [...(await compiled()).keys()];
  expect(left.filter((file) => !/\/([0-9a-f]{32}\.json|[a-z]+\.o)$/.test(file))).toEqual([]);
  for (const file of left.filter((one) => one.endsWith(".json"))) {
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ schema: "kgraft-object/1" });
  }
});

test("begun again it goes on where it was, and shows rate and remaining time", async () => {
  const before = await compiled();
  const command = [program, ...words, "--build", "-o", path("out"), "--html", path("out/plan.html")];
  const { stdout } = await promisify(execFile)(
    "script",
    ["--quiet", "--return", "--command", `stty cols 160; ${command.join(" ")}`, "/dev/null"],
    { env: { ...process.env, ...environment }, maxBuffer: 1 << 26 },
  );
  const after = await compiled();
  expect([...before].filter(([file, number]) => after.get(file) !== number)).toEqual([]);
  expect(after.size).toBeGreaterThan(before.size);
  const shown = stdout.split(/[\r\n]+/).filter((line) => line.includes("Compiling and comparing units"));
  expect(shown).toContainEqual(
    expect.stringMatching(/ \d+% {2}[1-6] of 7 {2}\d+(\.\d)?\/s {2}\d+(\.\d)? (s|min)( \d+ s)? left/),
  );
  expect((await readdir(path("out"))).toSorted()).toEqual([
    "kgraft_6_1_192_2.json",
    "kgraft_6_1_192_2.ko",
    "plan.html",
  ]);
});

test("once more it compiles nothing, and says the same", async () => {
  const before = await compiled();
  const { code, stdout } = await runKgraft([...words, "--json"], environment);
  expect(code).toBe(0);
  expect(await compiled()).toEqual(before);
  const plan = JSON.parse(stdout) as {
    readonly units: readonly { readonly unit: string; readonly verdict: string }[];
  };
  expect(Object.fromEntries(plan.units.map(({ unit, verdict }) => [unit, verdict]))).toEqual(
    Object.fromEntries(units.map((unit) => [unit, "carried"])),
  );
  const manifest = JSON.parse(await readFile(path("out/kgraft_6_1_192_2.json"), "utf8")) as {
    readonly functions: unknown;
  };
  expect(JSON.stringify(manifest)).toContain("version_proc_show");
  await rm(path("out"), { recursive: true });
});
