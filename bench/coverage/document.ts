/** docs/coverage.md: what the benchmark found, in tables. */
import type { KernelTree } from "@kgraft/kernel";
import type { Plan, PlannedUnit } from "@kgraft/plan";
import { availableParallelism } from "node:os";
import { type compareEngines, type EngineTimes, kpatchVersion } from "./create-diff-object.ts";
import type { Timed } from "../build/times.ts";
import { median } from "../median.ts";
import type { Trial } from "./load.ts";
import type { UnitTimes } from "./units.ts";

export interface Findings {
  readonly kernel: KernelTree;
  readonly plan: Plan;
  readonly trials: readonly Trial[];
  /** Unit of each tried live patch, by the patch's name. */
  readonly units: ReadonlyMap<string, string>;
  readonly engines: Awaited<ReturnType<typeof compareEngines>>;
  readonly times: {
    readonly planMs: number;
    readonly trialMs: number;
    readonly perUnit: UnitTimes;
    readonly builds: readonly Timed[];
  };
}

/** Reasons that lie outside of functions: no engine that replaces functions can carry these by itself. */
const beyondFunctions: Readonly<Record<string, string>> = {
  "changed-layout": "a structure changes that the new code uses",
  "changed-data": "initial values change",
  "changed-init": "code of the boot or of a module's start changes",
  "changed-section": "what the kernel reads at boot or at a module's start changes",
  "reaches-init": "new code refers to what is gone after the start",
  "ambiguous-static": "a static local cannot be told from another",
  "ambiguous-place": "an address in a section that variables share may be of either",
};

const withinFunctions: Readonly<Record<string, string>> = {
  "no-traced-entry": "a function that ftrace does not know changes",
  "unreachable-key": "a static key of a module switches the new code",
  "relocation-in-alternative": "an instruction that the kernel replaces at load reaches into a module",
  "unsupported-section": "a table that only the kernel's own build fills comes along",
  "needs-unit": "calls what the update gives to a unit that cannot be carried",
  "needs-module": "calls a module that the patched one does not need",
  "unknown-symbol": "a symbol that the shipped kernel does not have",
};

export function coverageDocument(findings: Findings): string {
  const { kernel, plan } = findings;
  const { from, to } = plan.update;
  return [
    "# Coverage",
    "",
    `Written by \`npm run bench coverage${kernel.suite === "bookworm" ? "" : ` ${kernel.suite}`}\`; not by hand.`,
    "",
    `Debian's update of its kernel from ${from} to ${to}, for ${kernel.release} (${kernel.compiler.version}): every C unit`,
    `that it changes and this configuration compiles, one live patch for each. ${today()}.`,
    "",
    ...coverageTable(findings),
    "",
    ...reasonsTable(plan),
    "",
    ...enginesTables(findings.engines),
    "",
    ...timesTable(findings),
    "",
  ].join("\n");
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function coverageTable({ plan, trials, units }: Findings): string[] {
  const carried = plan.units.filter(({ verdict }) => verdict === "carried");
  const refused = plan.units.filter(({ verdict }) => verdict === "needs-author");
  const inFunctions = refused.filter(({ reasons }) =>
    reasons.every(({ code }) => beyondFunctions[code] === undefined),
  );
  const wrong = trials.filter(({ outcome }) => outcome === "failed");
  const stalled = trials.filter(({ outcome }) => outcome === "stalled");
  const told = (list: readonly Trial[]): string =>
    list.map(({ name, detail }) => `${units.get(name) ?? name}: ${cell(detail)}`).join("; ");
  const exercised = trials.filter((trial) => trial.exercised).length;
  const touching = carried.length + inFunctions.length;
  return [
    "| units | | |",
    "| --- | ---: | --- |",
    `| changed and compiled | ${plan.units.length} | |`,
    `| the same code before and after | ${plan.units.filter(({ verdict }) => verdict === "unchanged").length} | |`,
    `| **carried** | ${carried.length} | ${trials.filter(({ outcome }) => outcome === "reverted").length} live patches loaded and reverted under load, ${exercised} with functions redirected in the guest |`,
    `| refused | ${refused.length} | ${inFunctions.length} of them though only functions change |`,
    `| **wrong** | ${wrong.length} | ${told(wrong) || "oopses, warnings, patches that did not load or did not go: none"} |`,
    `| never in force | ${stalled.length} | ${told(stalled) || "no transition stalled"} |`,
    "",
    `Where the change touches functions only: **${carried.length} of ${touching}, ${percent(carried.length, touching)}**.`,
  ];
}

function reasonsTable({ units }: Plan): string[] {
  const refused = units.filter(({ verdict }) => verdict === "needs-author");
  const meanings = { ...beyondFunctions, ...withinFunctions };
  const rows = Object.entries(Object.groupBy(refused, firstCode))
    .toSorted(([, a], [, b]) => (b?.length ?? 0) - (a?.length ?? 0))
    .map(
      ([code, of = []]) => `| ${meanings[code] ?? code} (\`${code}\`) | ${of.length} | ${example(of[0])} |`,
    );
  return [
    "Refused, by the reason that weighs most (a unit may have several):",
    "",
    "| reason | units | for example |",
    "| --- | ---: | --- |",
    ...rows,
  ];
}

/** What lies outside of functions weighs most. */
function firstCode({ reasons }: PlannedUnit): string {
  const codes = reasons.map(({ code }) => code);
  return [...Object.keys(beyondFunctions), ...codes].find((code) => codes.includes(code)) ?? "";
}

function example(unit: PlannedUnit | undefined): string {
  const reason = unit?.reasons.find(({ code }) => code === firstCode(unit));
  return reason === undefined ? "" : `${unit?.unit}: ${cell(reason.message)}`;
}

const enginesTitle = "## Beside create-diff-object";

/** The document with its section about the engines written anew. */
export function withEngines(document: string, engines: Findings["engines"]): string {
  const start = document.indexOf(enginesTitle);
  const end = document.indexOf("\n## ", start) + 1;
  return `${document.slice(0, start)}${enginesTables(engines).join("\n")}\n\n${document.slice(end)}`;
}

function enginesTables({ verdicts, times }: Findings["engines"]): string[] {
  const groups = Object.entries(Object.groupBy(verdicts, ({ theirs, ours }) => `${theirs} | ${ours}`));
  const differing = Object.entries(
    Object.groupBy(
      verdicts.filter(({ theirs, ours }) => theirs !== ours),
      ({ theirs, ours, theirWords, ourWords }) =>
        `${theirs} | ${ours} | ${cell(general(theirs === "carried" ? ourWords : theirWords))}`,
    ),
  ).toSorted(([, a], [, b]) => (b?.length ?? 0) - (a?.length ?? 0));
  return [
    `${enginesTitle} (kpatch ${kpatchVersion})`,
    "",
    `The difference engines alone, on ${verdicts.length} pairs of objects. Structures are not compared here by either. ${today()}.`,
    "",
    "| create-diff-object | kgraft delta | pairs |",
    "| --- | --- | ---: |",
    ...groups.map(([verdict, of]) => `| ${verdict} | ${of.length} |`),
    "",
    "| time for all pairs | seconds | ratio | median of the pairs' ratios |",
    "| --- | ---: | ---: | ---: |",
    timeRow("create-diff-object, one process each", times, ({ theirsMs }) => theirsMs),
    timeRow("kgraft delta, one process each", times, ({ oursOneProcessEachMs }) => oursOneProcessEachMs),
    timeRow("the engine of kgraft delta, one process for all", times, (pair) => pair.oursOneProcessMs),
    "",
    "Where they differ:",
    "",
    "| create-diff-object | kgraft delta | the words of the one that refuses | pairs | for example |",
    "| --- | --- | --- | ---: | --- |",
    ...differing.map(([key, of = []]) => `| ${key} | ${of.length} | ${of[0]?.unit ?? ""} |`),
  ];
}

/** The median stands beside the sum because one interruption of the machine is in the sum. */
function timeRow(name: string, times: readonly EngineTimes[], msOf: (pair: EngineTimes) => number): string {
  const sum = (of: (pair: EngineTimes) => number): number => times.reduce((ms, pair) => ms + of(pair), 0);
  const middle = median(times.map((pair) => msOf(pair) / pair.theirsMs));
  return `| ${name} | ${seconds(sum(msOf))} | ${ratio(sum(msOf) / sum(({ theirsMs }) => theirsMs))} | ${ratio(middle)} |`;
}

/** Without names of files and symbols, so that like goes with like. */
function general(words: string): string {
  return words
    .replaceAll(/[\w-]+\.o: /g, "")
    .replaceAll(/^(\w+(?:-\w+)+): .*$/g, "$1")
    .replaceAll(/\b\d+\b/g, "n")
    .replaceAll(/(?<=: )[\w.]+$/g, "...")
    .slice(0, 120);
}

function timesTable({ plan, trials, times: { planMs, trialMs, perUnit, builds } }: Findings): string[] {
  const cores = availableParallelism();
  const each = (ms: number): string => (ms / 1000 / perUnit.units).toFixed(2);
  return [
    "## Time",
    "",
    ...buildsTable(builds),
    `A unit of the update, on one core, the mean of ${perUnit.units} units spread over it (cold: three compilations, of the`,
    "original, of the patched one, and as shipped):",
    "",
    "| | seconds | of gcc once |",
    "| --- | ---: | ---: |",
    `| gcc, once | ${each(perUnit.gccMs)} | 1 |`,
    `| compiled and compared, cold | ${each(perUnit.coldMs)} | ${ratio(perUnit.coldMs / perUnit.gccMs)} |`,
    `| compiled and compared, warm | ${each(perUnit.warmMs)} | ${ratio(perUnit.warmMs / perUnit.gccMs)} |`,
    "",
    `The whole update: cold ${(((perUnit.coldMs / perUnit.units) * plan.units.length) / 60_000).toFixed(0)} minutes of one core by that mean; this run, with what was in the`,
    `cache already, ${((planMs * cores) / 60_000).toFixed(1)} minutes of ${cores} cores together. Loading and reverting ${trials.length} live patches in guests`,
    `without KVM took ${((trialMs * cores) / 60_000).toFixed(0)} minutes of the cores together, ${((trialMs * cores) / 1000 / Math.max(trials.length, 1)).toFixed(1)} s each.`,
  ];
}

function buildsTable(builds: readonly Timed[]): string[] {
  if (builds.length === 0) return [];
  return [
    "One fix, by the command, medians of 5 alternating runs:",
    "",
    "| | seconds | of gcc once | of gcc once and a trivial module |",
    "| --- | ---: | ---: | ---: |",
    ...builds.map(
      ({ name, ms, ofGccOnce, ofGccAndModule }) =>
        `| ${name} | ${(ms / 1000).toFixed(2)} | ${ratio(ofGccOnce)} | ${ratio(ofGccAndModule)} |`,
    ),
    "",
  ];
}

function ratio(value: number): string {
  return `${value.toFixed(2)} x`;
}

function percent(part: number, whole: number): string {
  return `${((part / Math.max(whole, 1)) * 100).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
}
