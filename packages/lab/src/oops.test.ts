import { expect, test } from "vitest";
import { findOops } from "./oops.ts";

// Whole reports are read in test/guest.test.ts, from kernels that crash there. Here: what the pieces mean.

const stamped = (lines: readonly string[], prefix: string): string =>
  lines.map((line) => `${prefix}${line}\r\n`).join("");

const report = [
  "BUG: kernel NULL pointer dereference, address: 0000000000000000",
  "Oops: 0000 [#1] PREEMPT SMP NOPTI",
  "CPU: 0 PID: 25 Comm: kworker/u4:1 Not tainted 6.1.0 #1",
  "RIP: 0010:inner.isra.0+0xbc/0x380 [ext4]",
  "Call Trace:",
  " <TASK>",
  " outer+0x29e/0xce0",
  " ? stale+0x3d3/0x430",
  " outermost+0x1b6/0x5f0 [ext4]",
  " </TASK>",
  "RIP: 0033:0x47b7a0",
  " later+0x1/0x2",
  "---[ end trace 0000000000000000 ]---",
];
const wanted = {
  kind: "bug",
  title: "BUG: kernel NULL pointer dereference, address: 0000000000000000",
  function: "inner.isra.0",
  task: "kworker/u4:1",
  callTrace: ["outer", "outermost"],
};

test.each(["[    2.573825] ", "[   12.573825][   T25] ", "<4>[    2.573825] ", ""])(
  "findOops() reads a report behind the stamp %j",
  (prefix) => {
    expect(findOops(stamped(["Freeing memory", ...report, "after"], prefix))).toMatchObject(wanted);
  },
);

test("findOops() takes the first of several", () => {
  const second = report.with(0, "general protection fault, probably for non-canonical address 0xdead");
  expect(findOops(stamped([...report, ...second], ""))?.title).toBe(report[0]);
  expect(findOops(stamped([...second, ...report], ""))?.title).toMatch(/^general protection fault/);
});

test.each([
  ["a clean log", ["EXT4-fs (vda): mounted filesystem with ordered data mode", "debug: 0"]],
  ["talk of bugs", ["ACPI BIOS Bug: something", "x86/fpu: WARNING: no", "note: BUG: here"]],
  ["nothing", []],
])("findOops() is null for %s", (_, lines) => {
  expect(findOops(stamped(lines, "[    1.000000] "))).toBeNull();
});

test("findOops() takes a report that was cut off as it is", () => {
  expect(findOops(stamped(report.slice(0, 2), ""))).toMatchObject({
    function: null,
    task: null,
    callTrace: [],
  });
});
