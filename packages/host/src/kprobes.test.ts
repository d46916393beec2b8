import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseProbes } from "./kprobes.ts";

const events = "p:kprobes/mine lp_sleep:lp_sleep_task+9\nr8:kprobes/back f\n";

test.each([
  [
    "ffffffffc05f7039  k  lp_sleep_task+0x9  lp_sleep [OPTIMIZED]",
    {
      object: "lp_sleep",
      name: "lp_sleep_task",
      byFtrace: false,
      user: "kprobe event kprobes/mine at lp_sleep_task+0x9",
    },
  ],
  [
    "ffffffff8bff5980  k  f+0x0    [FTRACE]",
    { object: "vmlinux", name: "f", byFtrace: true, user: "kprobe event kprobes/back at f+0x0" },
  ],
  [
    "ffffffff900fb964  k  f+0x4    [FTRACE]",
    { object: "vmlinux", name: "f", byFtrace: true, user: "kprobe event kprobes/back at f+0x4" },
  ],
  [
    "ffffffff900fb964  k  f+0x4    [OPTIMIZED]",
    { object: "vmlinux", name: "f", byFtrace: false, user: "kprobe at f+0x4" },
  ],
  [
    "ffffffff8bff5980  r  g+0x0    [FTRACE]",
    { object: "vmlinux", name: "g", byFtrace: true, user: "return probe at g+0x0" },
  ],
])("parseProbes() reads %s", (line, probe) => {
  expect(parseProbes(`${line}\n`, events)).toEqual([probe]);
});

test.each(["[DISABLED][FTRACE]", "[GONE]"])("parseProbes() leaves out what is %s", (flags) => {
  expect(parseProbes(`ffffffff8bff5980  k  f+0x0    ${flags}\n`, "")).toEqual([]);
});

test("parseProbes() takes any text", () => {
  const word = fc.constantFrom("ff", "  k  ", "f+0x0", "  ", "[FTRACE]", "\n", "p:a/b f", "r8:", "+", "0x");
  const text = fc.array(fc.oneof(word, fc.string())).map((words) => words.join(""));
  fc.assert(
    fc.property(text, text, (list, eventText) => {
      for (const { name, user } of parseProbes(list, eventText)) {
        expect(name).not.toBe("");
        expect(user).toContain(name);
      }
    }),
  );
});
