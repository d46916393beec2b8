import { expect, test } from "vitest";
import { clockParameters, parametersFrom } from "./clock.ts";

const virtual = "processor\t: 0\ncpu MHz\t\t: 2596.144\nflags\t\t: fpu constant_tsc hypervisor lahf_lm\n";

test.each([
  ["a virtual machine", virtual, ["tsc_early_khz=2596144"]],
  ["a machine of its own", virtual.replace(" hypervisor", ""), []],
  ["a counter that changes its rate", virtual.replace(" constant_tsc", ""), []],
  ["no rate", virtual.replace("2596.144", "unknown"), []],
  ["another processor", "processor : 0\ncpu : POWER9\n", []],
])("parametersFrom() tells the rate of %s", (_, cpuinfo, wanted) => {
  expect(parametersFrom(cpuinfo)).toEqual(wanted);
});

test("clockParameters() can be asked on this machine", () => {
  expect(clockParameters().length).toBeLessThan(2);
});
