import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { compareVersions } from "./version.ts";

test.each([
  ["6.1.192-1", "6.1.192-1", 0],
  ["6.1.99-1", "6.1.192-1", -1],
  ["6.1.192-1", "6.1.192-2", -1],
  ["6.1.192-1~bpo11+1", "6.1.192-1", -1],
  ["6.12.1-1", "6.1.192-1", 1],
  ["1:1.0-1", "2.0-1", 1],
  ["6.1.192-1+deb12u1", "6.1.192-1", 1],
  ["6.1~rc7-1~exp1", "6.1-1~exp1", -1],
])("compareVersions(%s, %s) is %i", (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
});

test("compareVersions() agrees with dpkg", () => {
  const part = fc.string({
    unit: fc.constantFrom("0", "1", "9", ".", "a", "z", "+", "~"),
    minLength: 0,
    maxLength: 4,
  });
  const version = fc.tuple(part, part).map(([upstream, revision]) => `6${upstream}-1${revision}`);
  fc.assert(
    fc.property(version, version, (a, b) => {
      const relation = Math.sign(compareVersions(a, b));
      const operator = relation < 0 ? "lt" : relation > 0 ? "gt" : "eq";
      execFileSync("dpkg", ["--compare-versions", a, operator, b]);
    }),
    { numRuns: 60 },
  );
});
