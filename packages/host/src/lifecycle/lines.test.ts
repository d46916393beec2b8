import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseLifecycleText } from "./lines.ts";

const line = { name: "a", version: "*", until: "2027-01-31", successor: null };

describe("parseLifecycleText()", () => {
  test.each([
    ["a,*,2027-01-31", line],
    ["  a ,  * ,\t2027-01-31  \r", line],
    ["a,*,2027-01-31,b,more", { ...line, successor: "b" }],
    ["a-*, 1.2*, , a<1>", { name: "a-*", version: "1.2*", until: null, successor: "a<1>" }],
    ['"/^a{1,2}""$/", *, "2027-01-31"', { ...line, name: '/^a{1,2}"$/' }],
  ])("%j", (text, wanted) => {
    expect(parseLifecycleText(text)).toEqual({ lines: [wanted], problems: [] });
  });

  test.each(["", "\n\n", "# a,*,2027-01-31", "   # a\r\n \t\n"])("%j has no line", (text) => {
    expect(parseLifecycleText(text)).toEqual({ lines: [], problems: [] });
  });

  test.each([
    ["a", 'line 1: found "a", wanted NAME,VERSION,DATE'],
    [",*,2027-01-31", 'line 1: found ",*,2027-01-31", wanted NAME,VERSION,DATE'],
    ["\n#\na,*", 'line 3: the date is "", wanted YYYY-MM-DD'],
    ["a,*,2027-02-30", 'line 1: the date is "2027-02-30", wanted YYYY-MM-DD'],
    ["a,*,31 Jan 2027", 'line 1: the date is "31 Jan 2027", wanted YYYY-MM-DD'],
    ['a,"*,2027-01-31', "line 1: quotation marks do not stand around a whole value"],
    [`${"a".repeat(513)},*,2027-01-31`, "line 1: a value is longer than 512 characters"],
    ["/(a+)+/,*,2027-01-31", 'line 1: "/(a+)+/" cannot be used as a pattern'],
    ["a,*,,/(/", 'line 1: "/(/" cannot be used as a pattern'],
  ])("tells of %.40j, and reads the next line all the same", (text, problem) => {
    expect(parseLifecycleText(`${text}\na,*,2027-01-31`)).toEqual({ lines: [line], problems: [problem] });
  });

  test("has a line or a problem for each line of any text that says something", () => {
    const near = fc.stringMatching(/^[a*/",#\s0-9-]{0,40}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        const { lines, problems } = parseLifecycleText(text);
        const said = text.split("\n").filter((row) => row.trim() !== "" && !/^\s*#/.test(row));
        expect(lines.length + problems.length).toBe(said.length);
      }),
    );
  });
});
