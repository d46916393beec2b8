import type { BlockingTask } from "@kgraft/contract";
import { describe, expect, test } from "vitest";
import { idleMachine, livePatchFiles, makeMachine, threadFiles } from "../test/machine.ts";
import { durationText, whatHelps, whyItBlocks } from "./advice.ts";
import { explainer } from "./blocker.ts";
import type { LivePatch } from "./livepatch.ts";

const applying: LivePatch = { name: "lp_demo", state: "applying" };
const reverting: LivePatch = { name: "lp_demo", state: "reverting" };
const place = "/proc/20/task/20";

function explain(files: Readonly<Record<string, string>>, patch: LivePatch = applying): BlockingTask {
  const { system } = makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 1),
    ...livePatchFiles("lp_older", 1, 0),
    "/sys/kernel/livepatch/lp_demo/ext4/ext4_sync,1/.keep": "",
    ...threadFiles(20, 20, "0", "sleep\u0000100\u0000"),
    ...files,
  });
  return explainer(system, patch)({ pid: 20, tid: 20 });
}

test("explainer() tells what is known of a thread", () => {
  const files = {
    "/proc/self/sched": "kgr (1, #threads: 1)\nse.exec_start      :       93500.125\n",
    [`${place}/sched`]: "se.exec_start      :       500.999\n",
    "/proc/20/cgroup": "0::/system.slice/nginx.service/workers\n",
  };
  expect(explain(files)).toEqual({
    pid: 20,
    tid: 20,
    name: "task20",
    commandLine: ["sleep", "100"],
    stack: ["do_sys_poll+0x1/0x2", "do_syscall_64+0x3/0x4"],
    kind: "process",
    state: "sleeping",
    asleepMs: 93_000,
    function: null,
    unit: "nginx.service",
  });
});

describe("explainer() finds the function that changes:", () => {
  test.each<[string, LivePatch, string, string | null]>([
    ["the kernel's, to be replaced", applying, "cmdline_proc_show+0x1/0x2", "cmdline_proc_show"],
    ["a module's", applying, "ext4_sync+0x1/0x2 [ext4]", "ext4_sync"],
    ["another object's of that name", applying, "ext4_sync+0x1/0x2", null],
    ["one that only begins so", applying, "cmdline_proc_show_x+0x1/0x2", null],
    ["what an older patch made of it", applying, "live_show+0x1/0x2 [lp_older]", "live_show"],
    ["what this patch makes of it", applying, "live_show+0x1/0x2 [lp_demo]", null],
    ["this patch's own, to be left", reverting, "live_show+0x1/0x2 [lp_demo]", "live_show"],
    ["the kernel's, when it comes back", reverting, "cmdline_proc_show+0x1/0x2", null],
    ["the innermost of two", applying, "ext4_sync+0x1/0x2 [ext4]\n[<0>] cmdline_proc_show+1/2", "ext4_sync"],
  ])("%s", (_, patch, line, wanted) => {
    const stack = `[<0>] schedule+0x1/0x2\n[<0>] ${line}\n[<0>] do_syscall_64+0x3/0x4\n`;
    expect(explain({ [`${place}/stack`]: stack }, patch).function).toBe(wanted);
  });
});

describe("explainer() knows how it stands:", () => {
  const stat = (letter: string, flags = 0): string => `20 (a) R (b) ${letter} 1 1 1 0 -1 ${flags} 0`;
  test.each<[string, string, BlockingTask["state"], BlockingTask["kind"]]>([
    ["S", stat("S"), "sleeping", "process"],
    ["D", stat("D"), "uninterruptible", "process"],
    ["R", stat("R"), "running", "process"],
    ["T", stat("T"), "stopped", "process"],
    ["t", stat("t"), "stopped", "process"],
    ["I, a kernel thread", stat("I", 0x0420_8040), "sleeping", "kernel-thread"],
    ["nonsense", "\u0000\u00ff", "sleeping", "process"],
  ])("%s", (_, line, state, kind) => {
    expect(explain({ [`${place}/stat`]: line })).toMatchObject({ state, kind });
  });

  test("frozen", () => {
    expect(explain({ [`${place}/stack`]: "[<0>] do_freezer_trap+0x1/0x2\n" }).state).toBe("frozen");
  });
});

const task: BlockingTask = {
  pid: 20,
  tid: 20,
  name: "x",
  commandLine: ["x"],
  stack: [],
  kind: "process",
  state: "sleeping",
  asleepMs: 93_000,
  function: "f",
  unit: null,
};

test.each<[Partial<BlockingTask>, string, string]>([
  [{}, "sleeps in f for 93 s", "wake it with: kgr poke; or turn back with: kgr disable lp_demo"],
  [{ unit: "a.service" }, "sleeps in f for 93 s", "wake it with: kgr poke; or restart a.service, or turn"],
  [{ state: "uninterruptible" }, "sleeps in f for 93 s, deaf to signals", "free what it waits for"],
  [{ state: "running", asleepMs: null }, "runs in the kernel and has not left it", "wait: it moves when"],
  [{ state: "stopped" }, "is stopped in f for 93 s", "let it run with: kill -CONT 20"],
  [{ state: "frozen" }, "is frozen in f for 93 s", "thaw its control group"],
  [{ kind: "kernel-thread" }, "kernel thread, sleeps in f for 93 s", "nothing wakes it but its own work"],
  [{ function: null, asleepMs: null }, "sleeps in the kernel", "kgr disable lp_demo"],
])("whyItBlocks() and whatHelps() %j", (changes, why, help) => {
  expect(whyItBlocks({ ...task, ...changes })).toBe(why);
  expect(whatHelps({ ...task, ...changes }, applying)).toContain(help);
});

test("whatHelps() turns a patch back that is being reverted", () => {
  expect(whatHelps(task, reverting)).toContain("turn back with: kgr enable lp_demo");
});

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1000, "1 s"],
  [119_999, "119 s"],
  [120_000, "2 min"],
  [7_200_000, "2 h"],
])("durationText(%i) is %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});
