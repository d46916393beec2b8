import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadLifecycleData } from "./errors.ts";
import { lifecycleText, parseLifecycleText } from "./lines.ts";
import { promise } from "./promise.ts";

const line = { name: "a", version: "*", until: "2027-01-31", successor: null };

describe("parseLifecycleText()", () => {
  test.each([
    ["a,*,2027-01-31", line],
    ["  a ,  * ,\t2027-01-31  \r", line],
    ["a,*,2027-01-31,", line],
    ["a,*,2027-01-31,b,more", { ...line, successor: "b" }],
    ["a-*, 1.2*, , a<1>", { name: "a-*", version: "1.2*", until: null, successor: "a<1>" }],
    ["/^kernel-.*$/, *, 2027-01-31", { ...line, name: "/^kernel-.*$/" }],
    ['"/^a{1,2}""$/", *, "2027-01-31"', { ...line, name: '/^a{1,2}"$/' }],
  ])("%j", (text, wanted) => {
    expect(parseLifecycleText(text, "x")).toEqual([wanted]);
  });

  test.each(["", "\n\n", "# a,*,2027-01-31", "   # a\r\n \t\n"])("%j has no line", (text) => {
    expect(parseLifecycleText(text, "x")).toEqual([]);
  });

  test.each([
    ["a", "x:1: the version is missing"],
    [",*,2027-01-31", "x:1: the name is missing"],
    ["\n#\na,*", 'x:3: the date is "", wanted YYYY-MM-DD'],
    ["a,*,,", 'x:1: the date is "", wanted YYYY-MM-DD'],
    ["a,*,2027-02-30", 'x:1: the date is "2027-02-30", wanted YYYY-MM-DD'],
    ["a,*,31 Jan 2027", 'x:1: the date is "31 Jan 2027", wanted YYYY-MM-DD'],
    ['a,"*,2027-01-31', "x:1: quotation marks do not stand around a whole value"],
    ['a,"*"x,2027-01-31', "x:1: quotation marks do not stand around a whole value"],
    [`${"a".repeat(513)},*,2027-01-31`, "x:1: a value has 513 characters, wanted at most 512"],
    ["#".repeat((16 << 20) + 1), "x: it has 16777217 characters, wanted at most 16777216"],
  ])("refuses %.40j", (text, message) => {
    expect(() => parseLifecycleText(text, "x")).toThrow(
      expect.objectContaining({ name: "BadLifecycleData", message: `cannot read ${message}` }),
    );
  });

  test("takes any text or refuses it by name", () => {
    const near = fc.stringMatching(/^[a*/",#\s0-9-]{0,40}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        try {
          return parseLifecycleText(text, "x").every(({ name, version }) => name !== "" && version !== "");
        } catch (error) {
          return error instanceof BadLifecycleData;
        }
      }),
    );
  });

  test("reads what lifecycleText() writes", () => {
    const release = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,30}$/);
    const on = fc.date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true });
    fc.assert(
      fc.property(fc.array(fc.record({ release, on })), fc.integer({ min: 1, max: 240 }), (list, months) => {
        const published = list.map((patch) => ({ ...patch, on: patch.on.toISOString().slice(0, 10) }));
        const data = promise(null, published, { schema: "kgraft-lifecycle-policy/1", months });
        const wanted = data.kernels.flatMap(({ packages, until }) =>
          packages.map((name) => ({ name, version: "*", until, successor: null })),
        );
        expect(parseLifecycleText(lifecycleText(data), "x")).toEqual(wanted);
      }),
    );
  });
});
