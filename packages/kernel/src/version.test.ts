import { describe, expect, test } from "vitest";
import { sourcePackage } from "./version.ts";

describe("sourcePackage()", () => {
  test.each([
    ["6.1.192-1", "linux-source-6.1", "6.1.192-1"],
    ["6.12.9-1~bpo12+1", "linux-source-6.12", "6.12.9-1~bpo12+1"],
    ["6.1.192-1+b2", "linux-source-6.1", "6.1.192-1"],
    ["7.2~rc3-1~exp1", "linux-source-7.2", "7.2~rc3-1~exp1"],
  ])("%s", (version, name, source) => expect(sourcePackage(version)).toEqual({ name, version: source }));

  test.each(["", "6", "6.1", "linux", "6.1.1 -1", "6.1;rm-1"])("refuses %j", (version) => {
    expect(() => sourcePackage(version)).toThrow(/read kernel version/);
  });
});
