import * as fc from "fast-check";
import { expect, test } from "vitest";
import { commands } from "./commands.ts";
import { nearest } from "./nearest.ts";

const names = [...commands.keys()];

test.each([
  ["stats", "status"],
  ["satus", "status"],
  ["STATUS", "status"],
  ["laod", "load"],
  ["patch", "patches"],
  ["life", "lifecycle"],
  ["block", "blocking"],
  ["blocking_t", "blocking_threads"],
  ["blocking-threads", "blocking_threads"],
  ["uninstal", "uninstall"],
  ["vex", "vex"],
  ["frobnicate", null],
  ["x", null],
  ["", null],
])("nearest() to %j is %j", (typed, word) => {
  expect(nearest(typed, names)).toBe(word);
});

test("nearest() finds each name with any one letter left out or put in, and takes any text", () => {
  fc.assert(
    fc.property(fc.constantFrom(...names.filter((name) => name.length > 4)), fc.nat(), (name, number) => {
      const at = number % name.length;
      expect(names).toContain(nearest(name.slice(0, at) + name.slice(at + 1), names));
      expect(nearest(`${name.slice(0, at)}x${name.slice(at)}`, names)).toBe(name);
    }),
  );
  fc.assert(fc.property(fc.string(), (typed) => [null, ...names].includes(nearest(typed, names))));
});
