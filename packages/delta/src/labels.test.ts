/** What a difference engine must handle, point 6: places within functions that something else knows. */
import { describe, expect, test } from "vitest";
import { deltaOf, patchedOf } from "../test/compile.ts";

/** A function with a label in it, which stays where it was when the number changes. */
const labelled = (label: string, n: number): string =>
  `int f(int x) { int y; asm volatile("movl $${n}, %0\\n${label} nop" : "=r"(y)); return value(x + y); }\n`;
const alone = "extern char place[];\n";
const table = `asm(".pushsection .rodata.table,\\"a\\"\\n.type table,@object\\n.globl table\\ntable: .quad place\\n.size table, 8\\n.popsection");`;

const refusals = [
  {
    what: "another function compares an address with",
    more: `${alone}int g(void *at) { return at == place; }`,
    subject: "g",
  },
  { what: "a table of assembly holds", more: table, subject: "table" },
];

describe("labels within a function that changed", () => {
  test.each(refusals)("one that $what is refused", ({ more, subject }) => {
    const source = (n: number): string => labelled("place:", n) + more;
    expect(deltaOf(source(1), source(2))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "changed-data", subject }],
    });
    expect(deltaOf(source(1), source(1))).toEqual({ kind: "unchanged" });
  });

  test("one that other units may know is refused", () => {
    const source = (n: number): string => labelled(".globl place\\nplace:", n);
    expect(deltaOf(source(1), source(2))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "moved-symbol", subject: "place" }],
    });
    expect(deltaOf(source(1), source(1))).toEqual({ kind: "unchanged" });
  });

  test("one that the function alone knows is carried", () => {
    const source = (n: number): string =>
      `${alone}${labelled("place:", n).replace("value(x + y)", "value((long)place + y)")}`;
    expect(patchedOf(source(1), source(2)).functions).toMatchObject([{ name: "f" }]);
  });
});
