/**
 * Finding in a kernel log that the kernel hurt itself.
 *
 * A report begins with a line that names the fault and, apart from a few one-line ones, ends with
 * "---[ end trace": between them stand the instruction pointer and the call trace. Entries of the trace with a `?`
 * were found on the stack but not proven by the unwinder; they are left out.
 *
 * Source: arch/x86/kernel/dumpstack.c, kernel/panic.c, lib/bug.c of the Linux kernel.
 */

export interface KernelOops {
  /** A warning leaves the kernel as it was; a bug ends at least the task. */
  readonly kind: "bug" | "warning";
  /** The line that names the fault, such as `BUG: kernel NULL pointer dereference, address: 0000000000000000`. */
  readonly title: string;
  /** The function that was running, where the report says so. */
  readonly function: string | null;
  /** Name of the task that was running, where the report says so. */
  readonly task: string | null;
  /** Functions that led there, innermost first. */
  readonly callTrace: readonly string[];
  /** The report without time stamps. */
  readonly text: string;
}

const stamp = /^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[CT]\d+\])?\s?/;
const bug =
  /^(BUG: |Oops: |kernel BUG at |general protection fault|Unable to handle kernel |Internal error: |watchdog: BUG: |(?:double fault|divide error|invalid opcode|stack segment|int3|page fault): \d{4} \[#)/;
const warning = /^WARNING: CPU: /;
const end = /^---\[ end (trace|Kernel panic)/;
const pointer = /^(?:RIP: [0-9a-f]{4}:|NIP \[[0-9a-f]+\] |pc : )([A-Za-z0-9_.]+)\+0x/;
const frame = /^ {1,2}(?:\[[0-9a-f]+\] \[[0-9a-f]+\] )?([A-Za-z0-9_.]+)\+0x[0-9a-f]+\/0x[0-9a-f]+/;
const maxLines = 300;

function trace(lines: readonly string[]): readonly string[] {
  const start = lines.findIndex((line) => line.startsWith("Call Trace:"));
  if (start < 0) return [];
  const after = lines.slice(start + 1);
  const stop = after.findIndex((line) => !/^( |Call Trace:|$)/.test(line));
  return (stop < 0 ? after : after.slice(0, stop)).flatMap((line) => frame.exec(line)?.[1] ?? []);
}

/** The first report of a fault in this kernel log, or null. `ended` says whether its last line is there. */
export function findReport(
  consoleText: string,
): { readonly oops: KernelOops; readonly ended: boolean } | null {
  const lines = consoleText.split(/\r?\n/).map((line) => line.replace(stamp, ""));
  const start = lines.findIndex((line) => bug.test(line) || warning.test(line));
  if (start < 0) return null;
  const rest = lines.slice(start, start + maxLines);
  const last = rest.findIndex((line) => end.test(line));
  const report = last < 0 ? rest : rest.slice(0, last + 1);
  const title = report[0] ?? "";
  const first = (pattern: RegExp): string | null =>
    report.map((line) => pattern.exec(line)?.[1]).find(Boolean) ?? null;
  const oops: KernelOops = {
    kind: warning.test(title) ? "warning" : "bug",
    title,
    function: first(pointer),
    task: first(/^CPU: \d+ (?:UID: \d+ )?PID: \d+ Comm: (.+?) (?:Not tainted|Tainted)/),
    callTrace: trace(report),
    text: report.join("\n"),
  };
  return { oops, ended: last >= 0 };
}

/** The first BUG, Oops or WARNING that the kernel reported in this log, or null. */
export function findOops(consoleText: string): KernelOops | null {
  return findReport(consoleText)?.oops ?? null;
}
