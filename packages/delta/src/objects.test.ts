/**
 * What a difference engine must handle, points 1 to 4: how objects are written, what makes a function traceable, one
 * section for each symbol, and the pieces that the compiler makes of one function. (Point 5, which of several local
 * symbols is the unit's, needs the shipped kernel: packages/build/src/object-delta.test.ts.)
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfObject, readObject } from "@kgraft/elf";
import { describe, expect, test } from "vitest";
import {
  codeOf,
  compile,
  deltaOf,
  kernelTarget,
  patchedOf,
  referencesOf,
  replacedBy,
} from "../test/compile.ts";
import { computeDelta } from "./mod.ts";

function assemble(source: string): ElfObject {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-objects-"));
  try {
    writeFileSync(join(directory, "unit.s"), source);
    execFileSync("as", ["-o", "unit.o", "unit.s"], { cwd: directory });
    return readObject(bytesSource("unit.o", readFileSync(join(directory, "unit.o"))));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("computeDelta() point 1, reading", () => {
  test("more sections than plain numbering has (SHN_XINDEX)", () => {
    const unit = (n: number): ElfObject =>
      assemble(
        Array.from(
          { length: 33_000 },
          (_, index) =>
            `.section .text.f${index},"ax"\n.type f${index},@function\nf${index}: call __fentry__\nmov $${index === 32_999 ? n : 1},%eax\nret\n.size f${index}, . - f${index}\n`,
        ).join(""),
      );
    const verdict = computeDelta(unit(1), unit(2), kernelTarget());
    expect(verdict).toMatchObject({ kind: "patched", functions: [{ name: "f32999" }] });
  });

  const wide = (text: string, n: number): string => `
    extern void look(const unsigned short *);
    int find(int x) { look(u"${text}"); return value(x + ${n}); }
    int other(int x) { look(u"dbx"); return value(x); }`;

  test("string-merge sections of characters of two bytes", () => {
    expect(deltaOf(wide("db", 1), wide("db", 1))).toEqual({ kind: "unchanged" });
    // The first character is the same: a string of single bytes would end after it.
    expect(replacedBy(patchedOf(wide("db", 1), wide("dc", 1)))).toEqual(["find"]);
    const carried = patchedOf(wide("db", 1), wide("db", 2)).object.sections.find(({ name }) =>
      name.includes(".str2"),
    );
    expect([...(carried?.data ?? [])]).toEqual([0x64, 0, 0x62, 0, 0, 0]);
  });

  test("string-merge sections where one string is the tail of another", () => {
    const source = (n: number): string => `
      int both(int x) { printk("a long text\\n"); printk("text\\n"); return value(x + ${n}); }
      int one(int x) { printk("text\\n"); return value(x); }`;
    const verdict = patchedOf(source(1), source(2));
    expect(replacedBy(verdict)).toEqual(["both"]);
    const texts = verdict.object.sections.filter(({ name }) => name.includes(".str1"));
    expect(texts.map(({ data }) => new TextDecoder().decode(data)).toSorted()).toEqual([
      "a long text\n\0",
      "text\n\0",
    ]);
  });

  test("merged constants of 16 bytes, one by one", () => {
    const source = (n: number): string => `
      typedef int v4 __attribute__((vector_size(16)));
      void add(v4 *p) { *p += (v4){ 1, 2, 3, ${n} }; value(1); }
      void subtract(v4 *p) { *p -= (v4){ 5, 6, 7, 8 }; value(2); }`;
    const verdict = patchedOf(source(4), source(9));
    expect(replacedBy(verdict)).toEqual(["add"]);
    const constants = verdict.object.sections.filter(({ name }) => name.startsWith(".rodata"));
    expect(constants.map(({ sizeBytes }) => sizeBytes)).toEqual([16]);
    expect(constants[0]?.data[12]).toBe(9);
  });

  test("prefix symbols: the padding before a function is part of it and not its entry", () => {
    const padded = ["-fpatchable-function-entry=16,16"];
    const source = (n: number): string => `
      asm(".pushsection .text.padded,\\"ax\\",@progbits\\n.type __pfx_padded,@function\\n.set __pfx_padded, padded - 16\\n.popsection");
      extern void keep(int (*)(int));
      int padded(int x) { keep(padded); return value(x + ${n}); }`;
    const verdict = patchedOf(source(1), source(2), kernelTarget(), padded);
    expect(replacedBy(verdict)).toEqual(["padded"]);
    expect(verdict.functions[0]?.symbol.value).toBe(16);
    expect(referencesOf(verdict, ".text.padded")).toContain("original padded");
  });
});

describe("computeDelta() point 2, function profiling", () => {
  const source = (n: number): string => `int traced(int x) { return value(x + ${n}); }`;
  const entry = (verdict: ReturnType<typeof patchedOf>): unknown =>
    verdict.object.sections
      .find(({ name }) => name === "__mcount_loc")
      ?.relocations.map(({ addend }) => addend);

  test("a call of __fentry__ first, and its place in __mcount_loc", () => {
    const verdict = patchedOf(source(1), source(2));
    expect(referencesOf(verdict, ".text.traced")[0]).toBe("__fentry__");
    expect(entry(verdict)).toEqual([0]);
  });

  test("the same after endbr64, where the kernel has IBT", () => {
    expect(entry(patchedOf(source(1), source(2), kernelTarget(), ["-fcf-protection=branch"]))).toEqual([4]);
  });

  test("after padding, where the kernel has call padding", () => {
    const verdict = patchedOf(source(1), source(2), kernelTarget(), ["-fpatchable-function-entry=16,16"]);
    expect(entry(verdict)).toEqual([16]);
    expect(verdict.object.sections.some(({ name }) => name === "__patchable_function_entries")).toBe(true);
  });

  test("none where the compiler was not asked for it", () => {
    expect(deltaOf(source(1), source(2), kernelTarget(), ["-mno-fentry"])).toMatchObject({
      kind: "refused",
      reasons: [{ code: "no-traced-entry", subject: "traced" }],
    });
  });
});

describe("computeDelta() point 3, one section for each symbol", () => {
  test.each([
    [".text.unlikely.f", "__attribute__((cold))"],
    [".text.hot.f", "__attribute__((hot))"],
    [".text.f", ""],
    [".ref.text", 'section(".ref.text")'],
  ])("carries a function of %s", (section, attribute) => {
    const source = (n: number): string => `${attribute} int f(int x) { return value(x + ${n}); }`;
    expect(codeOf({ ...patchedOf(source(1), source(2)) }).concat()).toEqual(
      section.startsWith(".text") ? [section] : [],
    );
    const { object } = patchedOf(source(1), source(2));
    expect(object.sections.map(({ name }) => name)).toContain(section);
  });

  test("carries a new variable of a section that the kernel's own share, where no address says whose it is", () => {
    const source = (more: string, f: string, g: string): string => `
      extern int look(int *);
      static int last section(".data..read_mostly") = 1;
      ${more}
      static int arr[8] section(".data..read_mostly") = { 1, 2, 3, 4, 5, 6, 7, 8 };
      int f(int x) { return value(last + arr[x] + ${f}); }
      int g(int *p) { return look(arr) + look(arr + 3) + ${g}; }`;
    const fresh = 'static int fresh section(".data..read_mostly") = 1;';
    expect(replacedBy(patchedOf(source("", "1", "1"), source(fresh, "fresh++", "2")))).toEqual(["f", "g"]);
  });

  test.each([
    [".data.fresh", "static int fresh = 3;", "fresh++"],
    [".bss.fresh", "static int fresh;", "fresh++"],
    [".rodata.fresh", "static const int fresh[] = { 1, 2, 3 };", "fresh[x]"],
    [".rodata.fresh", "static int *const fresh[] = { &old, &old + 1 };", "*fresh[x]"],
    [".data.rel.ro.fresh", 'static int *fresh[] section(".data.rel.ro.fresh") = { &old };', "*fresh[0]"],
    [".data..read_mostly", 'static int fresh section(".data..read_mostly") = 1;', "fresh++"],
  ])("carries new data of %s", (section, declaration, use) => {
    const source = (more: string, what: string): string =>
      `int old;\n${more}\nint f(int x) { return value(x + old + ${what}); }`;
    const verdict = patchedOf(source("", "1"), source(declaration, use));
    expect(replacedBy(verdict)).toEqual(["f"]);
    expect(verdict.object.sections.map(({ name }) => name)).toContain(section);
    expect(verdict.object.symbols.map(({ name }) => name)).toContain("fresh");
  });
});

describe("computeDelta() point 4, parents and children", () => {
  const cold = (n: number, m: number): string => `
    extern void bad(int) __attribute__((cold));
    int checked(int x) { if (x > 7) { bad(x); bad(x * 3 + ${n}); return value(1) + 3; } return value(x + ${m}); }`;

  test("a changed .cold means a changed parent, and brings it", () => {
    const verdict = patchedOf(cold(1, 1), cold(2, 1));
    expect(replacedBy(verdict)).toEqual(["checked"]);
    expect(codeOf(verdict).toSorted()).toEqual([".text.checked", ".text.unlikely.checked"]);
  });

  test("a changed parent brings its .cold", () => {
    expect(codeOf(patchedOf(cold(1, 1), cold(1, 2))).toSorted()).toEqual([
      ".text.checked",
      ".text.unlikely.checked",
    ]);
  });

  test("a .cold belongs to its function by whichever of its names", () => {
    const alias = '\nextern int another(int) __attribute__((alias("checked")));';
    const local = (n: number): string => cold(n, 1).replace("int checked", "static used int checked") + alias;
    const verdict = patchedOf(local(1), local(2));
    expect(codeOf(verdict).toSorted()).toEqual([".text.checked", ".text.unlikely.checked"]);
  });

  /** gcc makes a clone of it for the constant 3, and drops what the clone does not need. */
  const clone = (n: number, before: string): string => `
    ${before}
    static noinline int helper(int *unused, int x, int k) { return value(x * k + ${n}) + value(x); }
    int first(int x) { return helper(&x, value(x), 3) + 1; }
    int second(int x) { return helper(&x, value(x) + 2, 3); }`;

  test(".constprop and .isra: the clone is what is replaced", () => {
    const verdict = patchedOf(clone(1, ""), clone(2, ""));
    expect(replacedBy(verdict)).toHaveLength(1);
    expect(replacedBy(verdict)[0]).toMatch(/^helper\.(constprop|isra)(\.\d+)/);
  });

  test(".constprop whose number moved is the same function", () => {
    const source = (number: number, n: number): string => `
      static noinline int helper(int x) asm("helper.constprop.${number}");
      static noinline int helper(int x) { return value(x) + value(x + ${n}); }
      int user(int x) { return helper(x) + 1; }`;
    expect(deltaOf(source(0, 1), source(1, 1))).toEqual({ kind: "unchanged" });
    const verdict = patchedOf(source(0, 1), source(1, 2));
    // By the name that the running kernel has.
    expect([replacedBy(verdict), verdict.added]).toEqual([["helper.constprop.0"], []]);
  });

  test("a function and its clone are two: what was split and is not any more is replaced", () => {
    const source = (name: string): string => `
      static noinline int helper(int x) asm("${name}");
      static noinline int helper(int x) { return value(x) + value(x + 1); }
      int user(int x) { return helper(x) + 1; }`;
    const verdict = patchedOf(source("helper.isra.0"), source("helper"));
    expect([replacedBy(verdict), verdict.added]).toEqual([["user"], ["helper"]]);
  });

  test(".part: the outlined rest of a function that is inlined elsewhere", () => {
    const part = (n: number): string => `
      static int fetch(int *p) {
        if (__builtin_expect(!!*p, 1)) return *p;
        value(1); value(2); value(3); value(*p + ${n}); value(5); value(6); value(7); value(8);
        return value(9) + *p;
      }
      int a(int *p) { return fetch(p) + 1; }
      int b(int *p) { return fetch(p) + 2; }
      int c(int *p) { return fetch(p) + 3; }`;
    const names = compile(part(1)).symbols.map(({ name }) => name);
    expect(names).toContain("fetch.part.0");
    expect(replacedBy(patchedOf(part(1), part(2)))).toEqual(["fetch.part.0"]);
  });

  test("a clone's .cold belongs to the clone", () => {
    const source = (n: number): string => `
      extern void bad(int) __attribute__((cold));
      static noinline int helper(int x, int k) { if (x > k) { bad(x); bad(x + ${n}); return value(k) + 3; } return value(x); }
      int first(int x) { return helper(value(x), 3) + 1; }
      int second(int x) { return helper(value(x) + 2, 3); }`;
    const verdict = patchedOf(source(1), source(2));
    expect(replacedBy(verdict)).toEqual(["helper.constprop.0"]);
    expect(codeOf(verdict).toSorted()).toEqual([
      ".text.helper.constprop.0",
      ".text.unlikely.helper.constprop.0",
    ]);
  });
});
