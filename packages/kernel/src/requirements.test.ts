import { expect, test } from "vitest";
import { checkRequirements, machineRequirements } from "./requirements.ts";

test("checkRequirements() tells what is there from what is not", async () => {
  const found = await checkRequirements([
    { what: "a command", packageName: "bash", probe: "bash" },
    { what: "a file", packageName: "base-files", probe: "/etc/os-release" },
    { what: "no command", packageName: "none", probe: "kgraft-no-such-program" },
    { what: "no file", packageName: "none", probe: "/nonexistent/file" },
  ]);
  expect(found.map((one) => one.present)).toEqual([true, true, false, false]);
});

test("machineRequirements() names each package once for each probe", () => {
  const probes = machineRequirements().map((one) => one.probe);
  expect(new Set(probes).size).toBe(probes.length);
});
