/** What runtime_const_ptr() and runtime_const_shift_right_32() of the kernel leave in an object. */
import { describe, expect, test } from "vitest";
import { deltaOf, kernelTarget, patchedOf } from "../test/compile.ts";

const pointer = (n: number, register = "rax"): string => `
  extern long hashtable;
  int f(void) {
    register long table asm("${register}");
    asm volatile("movabs $0x0123456789abcdef, %0\\n1:\\n"
        ".pushsection runtime_ptr_hashtable,\\"a\\"\\n.long 1b - 8 - .\\n.popsection" : "=r"(table));
    return value(table + ${n});
  }`;
const shift = (n: number): string => `
  int f(void) {
    unsigned hash = 1u << 31;
    asm("shrl $12, %0\\n1:\\n"
        ".pushsection runtime_shift_bits,\\"a\\"\\n.long 1b - 1 - .\\n.popsection" : "+r"(hash));
    return value(hash + ${n});
  }`;

describe("computeDelta() constants that the kernel writes into its code at boot", () => {
  test.each([
    ["rax", "48 8b 05"],
    ["rdi", "48 8b 3d"],
    ["r8", "4c 8b 05"],
    ["r15", "4c 8b 3d"],
  ])("are loaded from their variable, into %s", (register, load) => {
    const { object } = patchedOf(pointer(1, register), pointer(2, register));
    const code = object.sections.find(({ name }) => name === ".text.f")?.data ?? new Uint8Array();
    const bytes = Buffer.from(code).toString("hex").replaceAll(/(..)/g, "$1 ");
    expect(bytes).toContain(`${load} 00 00 00 00 0f 1f 00 `);
    expect(bytes).not.toContain("ef cd ab");
    expect(object.sections.map(({ name }) => name)).not.toContain("runtime_ptr_hashtable");
    const fields = object.sections
      .flatMap(({ relocations }) => relocations)
      .filter(({ symbol }) => symbol.name === "hashtable");
    expect(fields.map(({ type, addend }) => [type, addend])).toEqual([[2, -4]]);
  });

  const without = kernelTarget({
    resolve: ({ name }) =>
      name === "hashtable" ? { kind: "missing", why: "so the test says" } : { kind: "exported" },
  });
  test.each([
    [
      "a variable that nobody reads and the kernel is without",
      pointer(1),
      pointer(2),
      without,
      "runtime_ptr_hashtable+0x0",
    ],
    ["a shift", shift(1), shift(2), kernelTarget(), "runtime_shift_bits+0x0"],
    [
      "a shift in a new function",
      "int g(void) { return 1; }",
      `${shift(1)} int g(void) { return value(1) + f(); }`,
      kernelTarget(),
      "runtime_shift_bits+0x0",
    ],
  ])("are refused: %s", (_, before, after, target, subject) => {
    const verdict = deltaOf(before, after, target);
    const reasons = verdict.kind === "refused" ? verdict.reasons : [];
    expect(reasons).toContainEqual(expect.objectContaining({ code: "changed-data", subject }));
  });
});
