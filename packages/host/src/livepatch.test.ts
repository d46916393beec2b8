import { expect, test } from "vitest";
import { idleMachine, livePatchFiles, makeMachine } from "../test/machine.ts";
import {
  patchInTransition,
  patchName,
  readFunctions,
  readPatch,
  readPatches,
  setEnabled,
} from "./livepatch.ts";

const states = [
  ["active", 1, 0],
  ["applying", 1, 1],
  ["reverting", 0, 1],
  ["off", 0, 0],
] as const;

test.each(states)("readPatch() and patchInTransition(): %s", (state, enabled, transition) => {
  const { system } = makeMachine({ ...idleMachine, ...livePatchFiles("lp_demo", enabled, transition) });
  expect(readPatch(system, "lp_demo")).toEqual({ name: "lp_demo", state });
  expect(readPatches(system)).toEqual([{ name: "lp_demo", state }]);
  expect(patchInTransition(system)).toEqual(transition === 1 ? { name: "lp_demo", state } : null);
});

test("readPatches() adds modules that are live patches but no longer in force", () => {
  const { system } = makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_new", 1, 0),
    "/proc/modules":
      "lp_new 16384 1 - Live 0x0000000000000000 (OEK)\n" +
      "lp_old 16384 0 - Live 0x0000000000000000 (EK)\n" +
      "lp_going 16384 0 - Unloading 0x0000000000000000 (K-)\n" +
      "zfs 16384 0 - Live 0x0000000000000000 (PO)\n" +
      "ext4 983040 1 - Live 0x0000000000000000\n",
  });
  expect(readPatches(system)).toEqual([
    { name: "lp_going", state: "off" },
    { name: "lp_new", state: "active" },
    { name: "lp_old", state: "off" },
  ]);
  expect(readPatch(system, "ext4")).toBeNull();
});

test.each([
  ["", ""],
  ["garbage\n", "\u0000\u0001"],
  ["1".repeat(100_000), "1"],
  ["2\n", "1\n"],
])("readPatch() makes nothing of nonsense", (enabled, transition) => {
  const folder = "/sys/kernel/livepatch/lp_demo";
  const files = { [`${folder}/enabled`]: enabled, [`${folder}/transition`]: transition };
  const { system } = makeMachine({ ...idleMachine, ...files });
  expect(readPatch(system, "lp_demo")).toBeNull();
  expect(readPatches(system)).toEqual([]);
  expect(patchInTransition(system)).toBeNull();
});

test("readPatches() wants a kernel with live patching", () => {
  const { system } = makeMachine({ "/proc/modules": "" });
  expect(() => readPatches(system)).toThrow(expect.objectContaining({ name: "NoLivePatchingError" }));
  expect(() => patchInTransition(system)).toThrow(expect.objectContaining({ name: "NoLivePatchingError" }));
});

test("readFunctions() reads object, name and sympos, and nothing else", () => {
  const { system } = makeMachine({
    ...livePatchFiles("lp_demo", 1, 0),
    "/sys/kernel/livepatch/lp_demo/ext4/foo.isra.0,2/.keep": "",
    "/sys/kernel/livepatch/lp_demo/ext4/nocomma/.keep": "",
    "/sys/kernel/livepatch/lp_demo/ext4/bad,x/.keep": "",
  });
  expect(readFunctions(system, "lp_demo")).toEqual([
    { object: "ext4", name: "foo.isra.0", sympos: 2 },
    { object: "vmlinux", name: "cmdline_proc_show", sympos: 1 },
  ]);
});

test("setEnabled() writes the attribute, and makes none where the patch is gone", () => {
  const machine = makeMachine(livePatchFiles("lp_demo", 1, 0));
  setEnabled(machine.system, "lp_demo", false);
  expect(machine.read("/sys/kernel/livepatch/lp_demo/enabled")).toMatch(/^0/);
  expect(() => setEnabled(machine.system, "lp_gone", false)).toThrow(
    expect.objectContaining({ code: "ENOENT" }),
  );
});

test("patchName() turns - into _ and refuses what is no name", () => {
  expect(patchName("lp-demo")).toBe("lp_demo");
  for (const typed of ["", "../x", "a b", "x".repeat(56), "a\n"]) {
    expect(() => patchName(typed)).toThrow(expect.objectContaining({ name: "UsageError" }));
  }
});
