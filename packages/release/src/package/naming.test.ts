import { expect, test } from "vitest";
import { BadPackageInput } from "./errors.ts";
import { debVersion, isOfPtf, patchPackageNames } from "./naming.ts";

test.each([
  ["6.1.0-55-cloud-amd64", "kgraft-patch-6.1.0-55-cloud-amd64", "kgraft-patch-6_1_0-55-cloud-amd64"],
  ["3.12.32-25-default", "kgraft-patch-3.12.32-25-default", "kgraft-patch-3_12_32-25-default"],
  ["6.1.0-rc1_Test~x+", "kgraft-patch-6.1.0-rc1-test-x+", "kgraft-patch-6_1_0-rc1_Test~x+"],
])("patchPackageNames() %s", (release, deb, rpm) => {
  expect(patchPackageNames(release)).toEqual({ deb, rpm });
});

test.each(["", "a b", "../x", "6.1\n"])("patchPackageNames() refuses %j", (release) => {
  expect(() => patchPackageNames(release)).toThrow(BadPackageInput);
});

test.each([
  ["2-1", false],
  ["2-1.ptf1234", true],
  ["2-1.ptf1234.1", false],
])("isOfPtf() %s", (version, is) => {
  expect(isOfPtf(version)).toBe(is);
});

test("debVersion() is counter and rebuild", () => {
  expect(debVersion({ counter: 2, rebuild: 1 })).toBe("2-1");
});
