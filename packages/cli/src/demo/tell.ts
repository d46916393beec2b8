/** The demonstration's story, as lines of a terminal. */
import type { LivePatch } from "@kgraft/build";
import type { KernelTree, SourceDiff } from "@kgraft/kernel";
import type { KernelOops } from "@kgraft/lab";
import { count, formatBytes, formatMs, table } from "../format.ts";
import type { Style } from "../style.ts";
import type { DemoCase } from "./defaults.ts";
import type { ControlReport, DemoReport, PatchedReport } from "./report.ts";
import { quietRounds, reproducer, roundsUnderLoad } from "./scenario.ts";
import type { TransitionCourse } from "./transition.ts";

type Lines = readonly string[];

export function opening({ release }: DemoCase, style: Style): Lines {
  return [
    style.bold("kgraft: a kernel that would have crashed survives, patched while it runs"),
    style.dim(`Debian's kernel ${release} and Debian's fix, in virtual machines; this one is left alone`),
  ];
}

export function ready(kernel: KernelTree, style: Style): Lines {
  return [
    `   ${style.green("✔")} ${kernel.release} ${style.dim(`(Debian ${kernel.packageVersion}, ${kernel.compiler.version})`)}`,
    `   ${style.green("✔")} kgr, the tool for the patched machine ${style.dim("(one static binary, from TypeScript by QuickJS)")}`,
  ];
}

const shownDiffLines = 9;

export function fix(diff: SourceDiff, style: Style): Lines {
  const rows = diff.files
    .slice(0, 8)
    .map(({ path, addedLines, removedLines }) => [
      `     ${path}`,
      style.green(`+${addedLines}`),
      style.red(`-${removedLines}`),
    ]);
  const first = diff.text.split("\n").findIndex((line) => /^[-+](?![-+])/.test(line));
  const excerpt = diff.text.split("\n").slice(Math.max(first - 2, 0), first + shownDiffLines - 2);
  return [
    command(`kgraft diff --from ${diff.from} --to ${diff.to}`, style),
    ...table(rows, [1, 2]),
    ...(diff.files.length > rows.length ? [`     and ${diff.files.length - rows.length} more`] : []),
    ...excerpt.map((line) => `     ${diffLine(line.replaceAll("\t", "  "), style)}`),
  ];
}

function diffLine(line: string, style: Style): string {
  if (line.startsWith("+")) return style.green(line);
  return line.startsWith("-") ? style.red(line) : style.dim(line);
}

export function building({ release }: DemoCase, style: Style): Lines {
  return [command(`kgraft build --kernel ${release} fix.patch`, style)];
}

export function livePatch({ manifest }: LivePatch, style: Style): Lines {
  const rows = manifest.functions.map(({ name, object, originalSizeBytes, replacementSizeBytes }) => [
    `     ${style.bold(name)}`,
    style.dim(object),
    String(originalSizeBytes),
    `-> ${replacementSizeBytes} bytes`,
  ]);
  return [
    `   ${style.green("✔")} ${manifest.module.file}, ${formatBytes(manifest.module.sizeBytes)}, replaces ${count(rows.length, "function")}:`,
    ...table(rows, [2]),
    `   ${style.green("✔")} compiled from the original source, they equal the shipped kernel's byte for byte`,
  ];
}

export function crash(oops: KernelOops, control: ControlReport, style: Style): Lines {
  const shown = oops.text
    .split("\n")
    .filter((line) => /^(BUG|Oops|CPU: |Workqueue|RIP|Call Trace)/.test(line));
  return [
    ...reproducer.map((line) => command(line, style, "guest#")),
    ...shown.map((line) => `     ${style.red(line.slice(0, 92))}`),
    ...control.callTrace.slice(0, 5).map((name) => style.red(style.dim(`      ${name}`))),
    `   ${style.red("✘")} ${style.bold("the kernel has crashed")} in ${control.function ?? control.callTrace[0] ?? "the fault"}, which is what the fix is for`,
  ];
}

export function transition(
  { manifest }: LivePatch,
  functions: readonly string[],
  { transitionMs, tasksLeft }: TransitionCourse,
  style: Style,
): Lines {
  return [
    style.dim("     at work: two writers and two readers of its ext4, and two that stay long in the kernel"),
    command(`kgr load ${manifest.module.file}`, style, "guest#"),
    ...tasksLeft.map((left) => `     in_progress, ${style.yellow(count(left, "task"))} left`),
    `     ${style.green("ready")} after ${style.bold(formatMs(transitionMs))}`,
    `   ${style.green("✔")} ftrace redirects ${functions.join(", ")}`,
    style.dim(
      `     now the same reproducer, ${roundsUnderLoad} times amid the load and ${quietRounds} times after it`,
    ),
  ];
}

export function survival(load: PatchedReport["load"], filesVerified: number, style: Style): Lines {
  return [
    `   ${style.green("✔")} ${style.bold("the kernel lives")}; meanwhile ${count(load.writes, "file")} written, copied and compared, ${count(load.reads, "round")} of reading`,
    `   ${style.green("✔")} ${filesVerified} known files are right, read back from the disk; e2fsck finds it clean`,
  ];
}

export function revert({ manifest }: LivePatch, reverted: PatchedReport["reverted"], style: Style): Lines {
  return [
    command(`kgr disable ${manifest.name}; kgr unload ${manifest.name}`, style, "guest#"),
    `   ${style.green("✔")} reverted after ${formatMs(reverted.revertMs)}: kgr patches lists ${reverted.patchesLeft === 0 ? "nothing" : reverted.patchesLeft}, ftrace redirects ${reverted.redirected.length === 0 ? "nothing" : reverted.redirected.join(", ")}`,
    `   ${style.green("✔")} the guest has shut down`,
  ];
}

export function summary(report: DemoReport, style: Style): Lines {
  const {
    control,
    patched,
    functions,
    fix: { fixes, from, to },
    transitionMs,
    totalMs,
  } = report;
  const names = functions.map(({ name }) => name).join(", ");
  const rows = [
    ["the fix", `Debian ${from} to ${to}${fixes.map(({ id, title }) => `, ${id}: ${title}`).join("")}`],
    ["replaced", names],
    ["without it", style.red(`crashed: ${control.title}`)],
    [
      "with it",
      style.green(
        `survived: ${patched.filesVerified} of ${patched.filesVerified} files right, file system ${patched.fileSystem}`,
      ),
    ],
    ["no reboot", `in force after ${formatMs(transitionMs)}, under load, and taken back without a trace`],
    ["all this took", formatMs(totalMs)],
  ];
  return table(rows.map(([label = "", value = ""]) => [`   ${style.dim(label)}`, value]));
}

function command(text: string, style: Style, prompt = "$"): string {
  return `   ${style.cyan(`${prompt} ${text}`)}`;
}
