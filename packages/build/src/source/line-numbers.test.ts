import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { freshLines, keepLineNumbers } from "./line-numbers.ts";

/** The preprocessor's own word on which line each `LINE` stands. */
function numbers(source: string): string[] {
  const output = execFileSync("gcc", ["-E", "-P", "-DLINE=@__LINE__", "-"], {
    input: source,
    encoding: "utf8",
  });
  return output.match(/@\d+/g) ?? [];
}

const before = `int a;
int one(void) { return LINE; }
int two(int x)
{
	return x + LINE;
}
int three(void) { return LINE; }
`;

describe("keepLineNumbers()", () => {
  const changes: Readonly<Record<string, readonly [from: string, to: string]>> = {
    "lines added at the top": ["int a;", "int a;\nint b;\nint c;"],
    "lines added in a function": ["{\n\treturn x", "{\n\tif (x)\n\t\tx++;\n\treturn x"],
    "lines removed": ["int a;\n", ""],
    "a line replaced": ["int a;", "long a;"],
    "a change that ends inside a comment": ["int a;", "int a; /* more\n * of it\n */"],
    "a change before a macro of several lines": [
      "int a;",
      "int a;\n#define M(x) \\\n\tdo { } \\\n\twhile (x)",
    ],
    "a change inside a call's arguments": ["return x + LINE", "return f(x,\n\t\tx) + LINE"],
  };

  test.each(Object.entries(changes))("keeps the number of unchanged lines: %s", (_, [from, to]) => {
    const after = before.replace(from, to);
    expect(after).not.toBe(before);
    const kept = numbers(keepLineNumbers(before, after));
    expect(kept.at(-1)).toBe(numbers(before).at(-1));
    expect(kept[0]).toBe(numbers(before)[0]);
  });

  test("leaves an unchanged text as it is", () => {
    expect(keepLineNumbers(before, before)).toBe(before);
  });

  test("keeps the number of whatever lines stay, for any insertion and deletion", () => {
    // No two lines are alike: which of two equal ones stayed is a matter of taste.
    const line = fc.constantFrom("int v# = LINE;", "int f#(int);", "/* # */", "#define X# 1");
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1 }),
        fc.array(fc.nat()),
        fc.array(fc.constantFrom("int a#;", "/* a\n * b */", "#define A# \\\n\tb", "f(c,\n\td)"), {
          maxLength: 4,
        }),
        (lines, cuts, added) => {
          const original = lines.map((text, index) => text.replace("#", `${index + 1}`));
          const changed = original.filter((__, index) => !cuts.includes(index));
          changed.splice(
            Math.floor(changed.length / 2),
            0,
            ...added.map((text, index) => text.replace("#", `${index}`)),
          );
          const kept = keepLineNumbers(`${original.join("\n")}\n`, `${changed.join("\n")}\n`);
          const output = execFileSync("gcc", ["-E", "-P", "-DLINE=__LINE__", "-"], {
            input: kept,
            encoding: "utf8",
          });
          for (const [, name, number] of output.matchAll(/int v(\d+) = (\d+);/g)) expect(number).toBe(name);
        },
      ),
      { numRuns: 30 },
    );
  });
});

test("freshLines() waits for the end of comments, macros and parentheses", () => {
  const lines = [
    "a;",
    "/* b",
    "c */",
    "#define d \\",
    "e",
    'f("(");',
    "g(1,",
    "2);",
    "'('; h;",
    "// (",
    "i;",
  ];
  expect(freshLines(lines)).toEqual([true, true, false, true, false, true, true, false, true, true, true]);
});
