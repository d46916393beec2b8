import { expect, test } from "vitest";
import { makeMachine, threadFiles } from "../test/machine.ts";
import { type System, SystemError } from "./system.ts";
import { countBlocking } from "./blocking-threads.ts";
import { commandOf, readBlocking } from "./tasks.ts";

const threads = {
  "/sys/kernel/livepatch/.keep": "",
  ...threadFiles(2, 2, "1"),
  ...threadFiles(20, 20, "0", "sleep\u0000100\u0000"),
  ...threadFiles(100, 100, "1", "server\u0000"),
  ...threadFiles(100, 101, "0", "server\u0000"),
  ...threadFiles(100, 102, "-1", "server\u0000"),
  ...threadFiles(300, 300, "garbage"),
  "/proc/400/task/400/comm": "gone\n",
  "/proc/self/task/1/patch_state": "0\n",
  "/proc/uptime": "1 1\n",
};

test.each([
  ["applying", [20, 101]],
  ["reverting", [2, 100]],
] as const)("readBlocking() names the threads that have not moved: %s", (state, tids) => {
  const { system } = makeMachine(threads);
  expect(readBlocking(system, { name: "lp", state })?.map((task) => task.tid)).toEqual(tids);
  expect(countBlocking(system, { name: "lp", state })).toBe(tids.length);
});

test("readBlocking() does without what vanished or cannot be read", () => {
  const machine = makeMachine({ ...threadFiles(7, 7, "0"), "/sys/kernel/livepatch/.keep": "" });
  for (const file of ["comm", "stack", "stat"]) {
    machine.remove(`/proc/7/task/7/${file}`);
  }
  machine.remove("/proc/7/cmdline");
  expect(readBlocking(machine.system, { name: "lp", state: "applying" })).toEqual([
    {
      pid: 7,
      tid: 7,
      name: "",
      commandLine: [],
      stack: [],
      kind: "process",
      state: "sleeping",
      asleepMs: null,
      function: null,
      unit: null,
    },
  ]);
});

test.each(["EACCES", "EPERM"])(
  "readBlocking() and countBlocking() know nothing where it is hidden: %s",
  (code) => {
    const machine = makeMachine(threads);
    const system: System = {
      ...machine.system,
      firstByte(path) {
        if (path.startsWith("/proc/100/") && path.endsWith("patch_state")) {
          throw new SystemError("open", path, code);
        }
        return machine.system.firstByte(path);
      },
    };
    expect(readBlocking(system, { name: "lp", state: "applying" })).toBeNull();
    expect(countBlocking(system, { name: "lp", state: "applying" })).toBeNull();
  },
);

test.each([
  ["a process", ["sleep", "100"], "sleep 100"],
  ["a kernel thread", [], "[kworker/0:1]"],
  ["one with escapes", ["a\u001b[2Jb"], "a?[2Jb"],
])("commandOf() shows %s", (_, commandLine, wanted) => {
  expect(commandOf({ name: "kworker/0:1", commandLine })).toBe(wanted);
});
