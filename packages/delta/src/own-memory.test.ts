/** What a difference engine must handle, point 10: new variables and constants, in memory that a live patch can have. */
import { describe, expect, test } from "vitest";
import { deltaOf, patchedOf, referencesOf, replacedBy } from "../test/compile.ts";

const using = (more: string, use: string): string => `${more}\nint user(int x) { return value(x + ${use}); }`;
const inSection = (section: string): string =>
  using(`static int fresh section("${section}") = 1;`, "fresh++");

describe("computeDelta() of a new variable", () => {
  test.each([
    ".data..percpu",
    ".data..percpu..read_mostly",
    ".data..percpu..shared_aligned",
    ".data..percpu..hot..fresh",
  ])("%s: comes along in the one section that the module loader knows", (section) => {
    const verdict = patchedOf(using("", "1"), inSection(section));
    const names = verdict.object.sections.map(({ name }) => name).filter((name) => name.includes("percpu"));
    expect(names).toEqual([".data..percpu"]);
  });

  test.each([
    ".data..percpu..page_aligned",
    ".data..percpu..first",
    ".data..percpu..decrypted",
    ".data..decrypted",
    ".data..nosave",
  ])("%s: refused, for it is made at boot", (section) => {
    expect(deltaOf(using("", "1"), inSection(section))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "unsupported-section", subject: "fresh" }],
    });
    expect(replacedBy(patchedOf(inSection(section), inSection(section).replace("x +", "x -")))).toEqual([
      "user",
    ]);
  });
});

describe("computeDelta() of a static local that is a constant", () => {
  const masked = (attribute: string, read: string): string =>
    `int user(int x) { static const char mask[16] ${attribute} = "0123456789abcde"; asm volatile("${read} %0, %%xmm0" :: "m"(mask)); return value(x); }`;
  const table = (type: string, use: string): string =>
    `int user(int x) { static ${type} table[4] = { 1, 2, 3, 4 }; ${use} return value(table[x & 3]); }`;

  test("carries one that code now needs at a wider alignment", () => {
    const verdict = patchedOf(masked("", "movups"), masked("__attribute__((aligned(64)))", "movaps"));
    expect(verdict.object.sections.find(({ name }) => name.startsWith(".rodata.mask"))).toMatchObject({
      alignment: 64,
    });
    expect(referencesOf(verdict, ".text.user")).not.toContainEqual(expect.stringMatching(/^original mask/));
  });

  test("carries one that was a variable, and may have another value by now", () => {
    const verdict = patchedOf(table("int", "table[x & 3]++;"), table("const int", ""));
    expect(verdict.object.sections.some(({ name }) => name.startsWith(".rodata.table"))).toBe(true);
    expect(referencesOf(verdict, ".text.user")).not.toContainEqual(expect.stringMatching(/^original table/));
  });
});
