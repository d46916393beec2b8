/**
 * How much of a real update becomes live patches by itself, and whether these work: every C unit that the update
 * changes and this configuration compiles, one live patch for each (with the units whose new functions it calls),
 * loaded and reverted in guests under load. Then the same pairs of objects beside kpatch's difference engine. Writes
 * docs/coverage.md (of another suite docs/coverage-SUITE.md). Compiled objects are kept, so a second run has the trials
 * left to do.
 *
 * usage: bench/coverage.ts [bookworm|trixie] [--plan-only | engines]
 *
 * With `engines` only those are measured, and their section of the document is written anew.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { glueObject, linkModule, openChange, type OpenedChange, type PatchedDelta } from "@kgraft/build";
import { cacheDirectory, fetchKernel, type KernelTree, unitsOf } from "@kgraft/kernel";
import { makePlan, neededBy, type Plan, readUpdate } from "@kgraft/plan";
import { buildTimes } from "./build/times.ts";
import { compareEngines, type Pair } from "./coverage/create-diff-object.ts";
import { coverageDocument, withEngines } from "./coverage/document.ts";
import { type Candidate, type Trial, tryAll } from "./coverage/load.ts";
import { unitTimes } from "./coverage/units.ts";

/** A real update of each generation. */
const updates = {
  bookworm: { release: "6.1.0-54-cloud-amd64", from: "6.1.190-1", to: "6.1.192-1" },
  trixie: { release: "6.12.117+deb13-cloud-amd64", from: "6.12.117-1", to: "6.12.118-1" },
} as const;
const suite = process.argv.includes("trixie") ? "trixie" : "bookworm";
const request = updates[suite];
const document = resolve(
  import.meta.dirname,
  `../docs/coverage${suite === "bookworm" ? "" : `-${suite}`}.md`,
);
const { signal } = new AbortController();

let told = 0;
function tell(text: string): void {
  if (performance.now() - told < 10_000) return;
  told = performance.now();
  console.error(text);
}

const work = {
  signal,
  onProgress: ({
    stage,
    doneBytes,
    totalBytes,
  }: {
    stage: string;
    doneBytes?: number;
    totalBytes?: number;
  }): void => tell(totalBytes === undefined ? stage : `${stage}: ${doneBytes ?? 0} of ${totalBytes}`),
};

const kernel = await fetchKernel({ release: request.release, suite }, work);
const scratch = mkdtempSync(join(tmpdir(), "kgraft-coverage-"));
try {
  write(await (process.argv.includes("engines") ? enginesAnew() : all()));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function all(): Promise<string> {
  const start = performance.now();
  const { plan, opened } = await makePlan({ kernel, ...request, withoutHeaders: true }, work);
  const planMs = performance.now() - start;
  await using _ = opened;
  const candidates = await candidatesOf(plan, opened);
  const trials: Trial[] = [];
  const tryStart = performance.now();
  if (!process.argv.includes("--plan-only"))
    await tryAll(
      kernel,
      candidates.map(({ candidate }) => candidate),
      {
        guests: availableParallelism(),
        onTrial(trial) {
          trials.push(trial);
          if (trial.outcome !== "reverted") console.error(`${trial.name}: ${trial.detail}`);
          tell(`tried: ${trials.length} of ${candidates.length}`);
        },
      },
    );
  const trialMs = performance.now() - tryStart;
  const engines = await engineFindings(opened, plan.units);
  const units = new Map(candidates.map(({ unit, candidate }) => [candidate.name, unit]));
  const perUnit = await unitTimes(kernel, plan, scratch);
  const builds = suite === "bookworm" ? await buildTimes(5) : [];
  const times = { planMs, trialMs, perUnit, builds };
  return coverageDocument({ kernel, plan, trials, units, engines, times });
}

async function enginesAnew(): Promise<string> {
  const { change } = await readUpdate(kernel, request, work);
  await using opened = await openChange(kernel, change, signal);
  const units = opened.units.filter(({ unit }) => change.texts.has(unit));
  return withEngines(readFileSync(document, "utf8"), await engineFindings(opened, units));
}

async function engineFindings(
  opened: OpenedChange,
  units: OpenedChange["units"],
): ReturnType<typeof compareEngines> {
  const pairs = await pairsOf(kernel, units, opened);
  return compareEngines(kernel, pairs, { cache: cacheDirectory(), scratch });
}

function write(text: string): void {
  writeFileSync(document, text);
  execFileSync("oxfmt", [document]); // aligns the tables, as the static checks want them
  console.log(text);
}

/** A live patch for each carried unit. */
async function candidatesOf(
  { deltas, units }: Plan,
  { kernel: shipped }: OpenedChange,
): Promise<{ unit: string; candidate: Candidate }[]> {
  const glue = await glueObject(kernel, signal);
  const carried = units.filter(({ verdict }) => verdict === "carried");
  const candidates: { unit: string; candidate: Candidate }[] = [];
  for (const [index, { unit }] of carried.entries()) {
    const needed: readonly PatchedDelta[] = neededBy(unit, deltas);
    const name = `coverage_${index}`;
    const bytes = await linkModule(shipped, { name, glue, deltas: needed }, signal);
    candidates.push({ unit, candidate: { name, bytes, modules: await modulesOf(needed) } });
    tell(`linked: ${candidates.length} of ${carried.length}`);
  }
  return candidates;
}

async function modulesOf(deltas: readonly PatchedDelta[]): Promise<string[]> {
  const { units } = await unitsOf(kernel);
  const paths = deltas.flatMap(({ unit, shippedObject }) =>
    (units.get(unit) ?? []).filter(({ name }) => name === shippedObject).map(({ module }) => module),
  );
  return [...new Set(paths.filter((path) => path !== null))];
}

/** The objects of every unit before and after, as both engines get them. */
async function pairsOf(
  tree: KernelTree,
  units: OpenedChange["units"],
  { compile }: OpenedChange,
): Promise<Pair[]> {
  const known = (await unitsOf(tree)).units;
  const pairs: Pair[] = [];
  for (const planned of units) {
    const [object] = known.get(planned.unit) ?? [];
    const pair = await compile(planned).catch(() => undefined);
    if (object === undefined || pair === undefined) continue;
    const image = object.module === null ? tree.vmlinux : join(tree.debugModulesDirectory, object.module);
    const { original, patched } = pair;
    pairs.push({
      unit: planned.unit,
      object: object.name,
      image,
      original: original.objectPath,
      patched: patched.objectPath,
    });
  }
  return pairs;
}
