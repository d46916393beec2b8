/** The demonstration: a kernel that would have crashed survives, patched while it runs. All of it is real. */
import { join } from "node:path";
import { build, type LivePatch } from "@kgraft/build";
import { diffVersions, fetchKernel, type KernelTree, type SourceDiff } from "@kgraft/kernel";
import type { Context } from "../context.ts";
import { buildKgr } from "../machine/kgr-builder.ts";
import { buildTitles, follow, kernelTitles, kgrTitles } from "../stages.ts";
import { controlReport, runControl } from "./control.ts";
import { type DemoCase, fixesOf } from "./defaults.ts";
import { withDirectory } from "./file-system.ts";
import { runPatched } from "./patched.ts";
import { prepareMachine } from "./prepare-machine.ts";
import type { DemoReport } from "./report.ts";
import { allOrNone } from "./side-by-side.ts";
import { makeSteps, type Steps } from "./steps.ts";
import * as tell from "./tell.ts";
import { explainGone } from "./versions-gone.ts";

export interface DemoOptions extends DemoCase {
  readonly install: boolean;
  readonly json: boolean;
}

/**
 * Runs the demonstration and tells it as it goes.
 *
 * @throws DemoFailed where the control does not crash or the patched kernel does not survive; and what the rooms throw
 */
export async function runDemo(options: DemoOptions, outer: Context): Promise<DemoReport> {
  const context: Context = { ...outer, board: outer.board.indented(3) };
  const steps = makeSteps(context, options.json);
  const { style } = context;
  steps.say(...tell.opening(options, style));

  // 1. What is missing on this machine.
  steps.heading(1, "This machine");
  await steps.timed("machine", () => prepareMachine(options.install, context, steps));

  // 2. The distribution's kernel; kgr is built beside it. The sources' difference needs the same package.
  steps.heading(2, "The kernel that is at fault, and the tools");
  const [kernel, kgr] = await allOrNone(context, (inner) => [
    steps.timed("fetch", () => fetch(options, inner)),
    steps.timed("kgr", () => makeKgr(inner)),
  ]);
  steps.say(...tell.ready(kernel, style));

  // 3. The fix, as the distribution made it.
  steps.heading(3, "The fix, from the distribution itself");
  const diff = await steps.timed("diff", () => diffFix(options, context));
  steps.say(...tell.fix(diff, style));

  return withDirectory(async (directory) => {
    // 4. and 5. The live patch; meanwhile the stock kernel meets the fault.
    steps.heading(4, "The live patch");
    steps.say(...tell.building(options, style));
    const [livePatch, oops] = await allOrNone(context, (inner) => [
      steps.timed("build", () => buildPatch(kernel, diff, { directory, options }, inner)),
      steps.timed("control", () => runControl(kernel, inner)),
    ]);
    steps.say(...tell.livePatch(livePatch, style));
    steps.heading(5, "Control: the stock kernel without the patch");
    const control = controlReport(oops, livePatch);
    steps.say(...tell.crash(oops, control, style));

    // 6. and 7. The same with the patch, and back.
    steps.heading(6, "The same kernel, patched while it works");
    const { patched, transitionMs } = await steps.timed("patched", () =>
      runPatched({ kernel, livePatch, kgr }, context, witnessOf(livePatch, context, steps)),
    );

    // 8. What was shown.
    const report: DemoReport = {
      release: kernel.release,
      packageVersion: kernel.packageVersion,
      fix: { from: options.from, to: options.to, files: diff.files, fixes: fixesOf(options) },
      functions: livePatch.manifest.functions,
      control,
      patched,
      transitionMs,
      stages: steps.times,
      totalMs: steps.elapsedMs(),
    };
    steps.heading(8, "In short");
    steps.say(...tell.summary(report, style));
    return report;
  });
}

async function fetch(options: DemoOptions, context: Context): Promise<KernelTree> {
  const progress = follow(context.board, kernelTitles);
  const { release, suite } = options;
  const kernel = await explainGone(options, () =>
    fetchKernel(
      { release, ...(suite !== undefined && { suite }) },
      { onProgress: progress.onProgress, signal: context.signal },
    ),
  );
  progress.done();
  return kernel;
}

async function makeKgr(context: Context): Promise<string> {
  const progress = follow(context.board, kgrTitles);
  const path = await buildKgr({ onProgress: progress.onProgress, signal: context.signal });
  progress.done();
  return path;
}

async function diffFix(options: DemoOptions, context: Context): Promise<SourceDiff> {
  const progress = follow(context.board, kernelTitles);
  const { from, to, suite } = options;
  const diff = await explainGone(options, () =>
    diffVersions(
      { from, to, ...(suite !== undefined && { suite }) },
      { onProgress: progress.onProgress, signal: context.signal },
    ),
  );
  progress.done();
  return diff;
}

async function buildPatch(
  kernel: KernelTree,
  diff: SourceDiff,
  { directory, options }: { readonly directory: string; readonly options: DemoOptions },
  context: Context,
): Promise<LivePatch> {
  const progress = follow(context.board, buildTitles);
  const livePatch = await build(
    {
      kernel,
      patches: [{ name: `${diff.from}..${diff.to}.patch`, text: diff.text }],
      name: "kgraft_demo",
      fixes: fixesOf(options),
      directory: join(directory, "out"),
    },
    { onProgress: progress.onProgress, signal: context.signal },
  );
  progress.done();
  return livePatch;
}

function witnessOf(livePatch: LivePatch, { style }: Context, steps: Steps): Parameters<typeof runPatched>[2] {
  return {
    redirected: (functions, course) => steps.say(...tell.transition(livePatch, functions, course, style)),
    survived: (load, filesVerified) => steps.say(...tell.survival(load, filesVerified, style)),
    reverted: (reverted) => {
      steps.heading(7, "And back");
      steps.say(...tell.revert(livePatch, reverted, style));
    },
  };
}
