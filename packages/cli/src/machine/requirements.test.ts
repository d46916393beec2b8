import { expect, test } from "vitest";
import { RequirementsMissing } from "../errors.ts";
import { checkNothingMissing, type CommandNeeds, installLine, missingPackages } from "./requirements.ts";

const groups: readonly CommandNeeds[] = [
  {
    commands: ["build"],
    needs: [
      { what: "compile", packageName: "gcc-12", present: true },
      { what: "unpack", packageName: "xz-utils", present: false },
    ],
  },
  {
    commands: ["lab run"],
    needs: [
      { what: "unpack", packageName: "xz-utils", present: false },
      { what: "boot", packageName: "qemu-system-x86", present: false },
    ],
  },
];

test("missingPackages() names each once", () => {
  expect(missingPackages(groups)).toEqual(["qemu-system-x86", "xz-utils"]);
});

test("installLine() is what to type", () => {
  expect(installLine(["a", "b"], true)).toBe("apt-get install a b");
  expect(installLine(["a"], false)).toBe("sudo apt-get install a");
});

test("checkNothingMissing() says what to install", () => {
  expect(() => checkNothingMissing(groups)).toThrow(RequirementsMissing);
  expect(() => checkNothingMissing([])).not.toThrow();
});
