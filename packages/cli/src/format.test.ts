import { describe, expect, test } from "vitest";
import { cut, formatBytes, formatMs, printable, table, width, wrap, wrapStyled } from "./format.ts";
import { makeStyle } from "./style.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [14_200, "14 kB"],
  [999_600, "1.0 MB"],
  [3_212_984_320, "3.2 GB"],
])("formatBytes(%d)", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0, "0 ms"],
  [999.6, "1.0 s"],
  [59_940, "59.9 s"],
  [59_960, "1 min 0 s"],
  [125_000, "2 min 5 s"],
])("formatMs(%d)", (ms, text) => expect(formatMs(ms)).toBe(text));

test("cut() keeps to the columns", () => {
  expect(cut("abcdef", 6)).toBe("abcdef");
  expect(cut("abcdef", 4)).toBe("abc…");
  expect(cut("abcdef", 0)).toBe("");
});

test("printable() shows control characters and keeps lines", () => {
  expect(printable("a\u001b[31mb\nc\td")).toBe("a\\x1b[31mb\nc\td");
});

test("table() aligns coloured cells", () => {
  const { red } = makeStyle(true);
  const lines = table(
    [
      ["a", red("10"), "x"],
      ["bbb", "5", "y"],
    ],
    [1],
  );
  expect(lines.map(width)).toEqual([10, 10]);
  expect(lines[1]).toBe("bbb   5  y");
});

describe.each([40, 80, 200])("at %d columns", (columns) => {
  const { bold, dim } = makeStyle(true);
  const long = `   ✔ ${bold("the kernel lives")}; meanwhile ${"many files were written and compared ".repeat(6)}`;

  test("wrap() fits", () => {
    const lines = wrap("word ".repeat(60).trim(), columns, "    ");
    expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(columns);
    expect(lines.every((line) => line.startsWith("    word"))).toBe(true);
  });

  test("wrapStyled() fits, and keeps every word in its order", () => {
    const lines = wrapStyled(long, columns);
    expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(columns);
    expect(lines.join(" ").replaceAll(/\s+/g, " ").trim()).toBe(long.replaceAll(/\s+/g, " ").trim());
  });

  test("wrapStyled() goes on below the second column of a table", () => {
    const row = `   ${dim("fix")}  ${"words of it ".repeat(20).trim()}`;
    const [, second = ""] = wrapStyled(row, columns);
    expect(second).toMatch(/^ {8}\S/);
  });
});
