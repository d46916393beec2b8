/** What a difference engine must handle, point 13: bytes of assembly that nothing in the unit leads to. */
import { describe, expect, test } from "vitest";
import { deltaOf, patchedOf, replacedBy } from "../test/compile.ts";

const user = (n: number): string => `int user(int x) { return value(x + ${n}); }\n`;
const assembly = (section: string, ...lines: readonly string[]): string =>
  `asm("${[`.pushsection ${section}`, ...lines, ".popsection"].join("\\n")}");\n`;
const variable = (name: string): string => `.type ${name},@object\\n.size ${name},4\\n${name}: .long 1`;

const refusals = [
  ["alone in its section", '.data.hidden,\\"aw\\"', ".data.hidden", (n: number): string[] => [`.long ${n}`]],
  [
    "constant",
    '.rodata.hidden,\\"a\\"',
    ".rodata.hidden",
    (n: number): string[] => [`.ascii \\"text ${n}\\"`],
  ],
  [
    "behind a local label",
    '.data.hidden,\\"aw\\"',
    ".data.hidden",
    (n: number): string[] => [`place: .long ${n}`],
  ],
  [
    "before a variable",
    '.data.hidden,\\"aw\\"',
    "first",
    (n: number): string[] => [`.long ${n}`, variable("first")],
  ],
  [
    "between two variables",
    '.data.hidden,\\"aw\\"',
    ".data.hidden",
    (n: number): string[] => [variable("first"), `.long ${n}`, variable("second")],
  ],
  [
    "after a variable",
    '.data.hidden,\\"aw\\"',
    ".data.hidden",
    (n: number): string[] => [variable("first"), variable("second"), `.long ${n}`],
  ],
  [
    "an address",
    '.data.hidden,\\"aw\\"',
    ".data.hidden",
    (n: number): string[] => [`.quad ${n === 1 ? "user" : "value"}`],
  ],
  ["code", '.text.hidden,\\"ax\\"', ".text.hidden", (n: number): string[] => [`mov $${n}, %eax`, "ret"]],
] as const;

describe("changedUnreached() of assembly without a name", () => {
  test.each(refusals)(
    "%s: what changed is refused, what only moved is none",
    (_, section, subject, lines) => {
      const source = (n: number): string => user(1) + assembly(section, ...lines(n));
      const reasons = [{ code: "changed-data", subject }];
      expect(deltaOf(source(1), source(2))).toMatchObject({ kind: "refused", reasons });
      expect(deltaOf(source(1), source(1))).toEqual({ kind: "unchanged" });
      expect(replacedBy(patchedOf(source(1), source(1).replace("x + 1", "x + 2")))).toEqual(["user"]);
    },
  );

  test("what is new, and what is gone", () => {
    const source = user(1) + assembly('.data.hidden,\\"aw\\"', ".long 1");
    for (const verdict of [deltaOf(user(1), source), deltaOf(source, user(1))])
      expect(verdict).toMatchObject({ kind: "refused", reasons: [{ subject: ".data.hidden" }] });
  });

  test("alternatives are reached by a table that the assembler may merge", () => {
    const source = (instruction: string): string =>
      `int user(int x) { asm volatile("661: nop\\n662:\\n.pushsection .altinstructions,\\"aM\\",@progbits,12\\n.long 661b - .\\n.long 663f - .\\n.word 7\\n.byte 1, 1\\n.popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n663: ${instruction}\\n.popsection"); return value(x); }`;
    expect(replacedBy(patchedOf(source("stc"), source("clc")))).toEqual(["user"]);
  });

  test("padding between functions and variables is nothing", () => {
    const source = (before: string, n: number): string => `
      section(".data..read_mostly") char one = 1; ${before} section(".data..read_mostly") long two = 2;
      section(".sched.text") int a(int x) { return value(x + ${n}); }
      section(".sched.text") int b(int x) { return value(x) + one + two; }`;
    expect(deltaOf(source("", 1), source("extern int more;", 1))).toEqual({ kind: "unchanged" });
    expect(replacedBy(patchedOf(source("", 1), source("", 200)))).toEqual(["a"]);
  });
});
