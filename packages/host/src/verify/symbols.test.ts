import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makeMachine } from "../../test/machine.ts";
import type { System } from "../system.ts";
import { describeAddress, findSymbols } from "./symbols.ts";

const kallsyms = `ffffffff81000000 T _stext
ffffffff81000100 t twice
ffffffff81000200 d data
ffffffff81000300 t twice
ffffffff81000400 T once
0000000000000000 a lp_sleep.c\t[lp_sleep]
ffffffffc0444000 t twice\t[lp_sleep]
ffffffffc0444018 t cleanup_module\t[lp_sleep]
`;
const system = (): System => makeMachine({ "/proc/kallsyms": kallsyms }).system;

test("findSymbols() counts the symbols of one name and object in the order of the file", () => {
  const names = [
    { object: "vmlinux", name: "twice" },
    { object: "lp_sleep", name: "twice" },
    { object: "vmlinux", name: "gone" },
  ];
  expect(findSymbols(system(), names)).toEqual(
    new Map([
      ["vmlinux:twice", [-0x7effff00n, -0x7efffd00n]],
      ["lp_sleep:twice", [-0x3fbbc000n]],
      ["vmlinux:gone", []],
    ]),
  );
});

test.each([
  ["are hidden", kallsyms.replaceAll(/^\w{16}/gm, "0".repeat(16))],
  ["are no addresses", kallsyms.replaceAll(/^\w{16}/gm, "-".repeat(16))],
  ["are gone", ""],
])("findSymbols() gives null where they %s", (_, text) => {
  const machine = makeMachine({ "/proc/kallsyms": text });
  expect(findSymbols(machine.system, [{ object: "vmlinux", name: "once" }])).toBeNull();
});

test.each([
  [-0x7effff00n, "twice+0x0"],
  [-0x7efffbf0n, "once+0x10"],
  [-0x3fbbbfe4n, "cleanup_module+0x4 [lp_sleep]"],
  [-0x80000000n, "0xffffffff80000000"],
  [0n, "0x0000000000000000"],
])("describeAddress() of %s", (address, text) => {
  expect(describeAddress(system(), address)).toBe(text);
});

test("findSymbols() and describeAddress() take any text", () => {
  const word = fc.constantFrom("ffffffff81000000", " t ", "once", "\n", "\t[x]", " ", "0", "é");
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string())), (words) => {
      const machine = makeMachine({ "/proc/kallsyms": words.join("") });
      const found = findSymbols(machine.system, [{ object: "vmlinux", name: "once" }]);
      expect(found === null || found.size === 1).toBe(true);
      expect(describeAddress(machine.system, -0x7effff00n)).toMatch(/./);
    }),
    { numRuns: 60 },
  );
});
