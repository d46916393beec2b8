/**
 * What a difference engine must handle, points 6, 10 and 14: what a relocation really reaches, what a live patch must
 * therefore carry, and how it reaches the rest.
 */
import { STT_SECTION } from "@kgraft/elf";
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
import { applyLivepatchReferences } from "./mod.ts";

const two = (first: string, second: string): string => `
int first(int x) { return value(${first}); }
int second(int x) { return value(${second}); }
`;

describe("computeDelta() point 6, relocations against section symbols", () => {
  test("lead to the variable that they reach, whatever the instruction has after the field", () => {
    const source = (n: number): string => `
      static int counter section(".data..shared") = 1;
      static char flag section(".data..shared") = 1;
      static short level section(".data..shared") = 1;
      static long total section(".data..shared") = 1;
      void set(int x) { counter = x; flag = x; level = x; total = x; }
      int get(unsigned x) {
        x &= 15;
        if (flag == 7) return 4;
        level ^= 0x1234;
        counter <<= 3;
        total += 0x12345;
        return value(x + ${n});
      }`;
    expect(referencesOf(patchedOf(source(1), source(2)), ".text.get").toSorted()).toEqual(
      [
        "__fentry__",
        "original counter",
        "original flag",
        "original level",
        "original total",
        "original value",
      ].toSorted(),
    );
  });

  test("tells neighbours of one byte apart after an instruction that ends in 0f", () => {
    const flags = `static char fl section(".data..read_mostly") = 1;\nstatic char fm section(".data..read_mostly") = 1;
      void set(int x) { fl = x; fm = x + 1; }`;
    const source = (n: number): string => `${flags}
      int t(unsigned a) { a &= 15; if (fl) return a + value(3); if (fm == 7) return 4; return a * 3 + value(${n}); }`;
    expect(referencesOf(patchedOf(source(1), source(2)), ".text.t")).toEqual(
      expect.arrayContaining(["original fl", "original fm"]),
    );
  });

  test("may lead to the end of a section", () => {
    const source = (n: number): string => `
      static int table[4] = { 1, 2, 3, 4 };
      int sum(void) { int all = ${n}; for (int *p = table; p != table + 4; p++) all += value(*p); return all; }`;
    expect(deltaOf(source(1), source(1))).toEqual({ kind: "unchanged" });
    const verdict = patchedOf(source(1), source(2));
    const ends = verdict.object.sections
      .find(({ name }) => name === ".text.sum")
      ?.relocations.filter(({ symbol }) => symbol.name.includes("table"))
      .map(({ addend }) => addend);
    expect(ends).toContain(16);
  });

  test("lead past the padding before a symbol: what stands before the first one is a part too", () => {
    const source = (n: number): string => `
      asm(".pushsection .data.set,\\"aw\\"\\nhead: .long 7\\n.type item,@object\\nitem: .long 8\\n.popsection");
      extern int head[];
      asm(".local head");
      int get(void) { return value(head[0] + ${n}); }`;
    expect(deltaOf(source(1), source(1)).kind).toBe("unchanged");
  });

  /** Functions of one section call each other without relocations: the assembler knows the distance. */
  const scheduled = (n: number, m: number): string => `
    #define sched section(".sched.text") noinline
    static sched int inner(int x) { value(x); return value(x + ${n}) + value(x * 2); }
    sched int growing(int x) { return value(x${" + value(x)".repeat(m)}); }
    static sched int outer(int x) { return inner(x) + 1 + inner(x + 2); }
    sched int entry(int x) { return outer(x) * 3 + inner(x); }`;

  test("may be missing within a section: a neighbour that grows changes no one else", () => {
    expect(compile(scheduled(1, 1)).sections.map(({ name }) => name)).toContain(".sched.text");
    expect(replacedBy(patchedOf(scheduled(1, 1), scheduled(1, 5)))).toEqual(["growing"]);
  });

  test("may be missing within a section: the replacement reaches its neighbours by relocations", () => {
    const source = (n: number): string =>
      scheduled(1, 1).replace("outer(x) * 3", `outer(x) * 3 + value(${n})`);
    const verdict = patchedOf(source(1), source(2));
    expect(replacedBy(verdict)).toEqual(["entry"]);
    expect(referencesOf(verdict, ".sched.text")).toEqual(
      expect.arrayContaining(["original outer", "original inner"]),
    );
    const code = verdict.object.sections.find(({ name }) => name === ".sched.text");
    // The module loader wants the field empty.
    const fields = code?.relocations.map(({ offset }) => [...code.data.subarray(offset, offset + 4)]);
    expect(new Set(fields?.flat())).toEqual(new Set([0]));
  });

  test("may be missing within a section: two that are carried reach each other", () => {
    const source = (n: number): string => scheduled(n, 1).replace("* 3", `* ${n + 20}`);
    const verdict = patchedOf(source(1), source(2));
    expect(replacedBy(verdict).toSorted()).toEqual(["entry", "inner"]);
    const calls = verdict.object.sections.flatMap(({ relocations }) =>
      relocations.filter(({ symbol: { place, type } }) => type === STT_SECTION && place.kind === "section"),
    );
    expect(calls.length).toBeGreaterThan(0);
  });

  test("a short jump out of a function cannot be carried, and is said so", () => {
    const source = (n: number): string => `
      asm(".pushsection .text.pair,\\"ax\\"\\n.globl a, b\\n.type a,@function\\n.type b,@function\\n"
        "a: call __fentry__\\nmov $${n},%eax\\njmp 1f\\n.size a, .-a\\nb: call __fentry__\\n1: ret\\n.size b, .-b\\n.popsection");`;
    expect(deltaOf(source(1), source(1))).toEqual({ kind: "unchanged" });
    expect(deltaOf(source(1), source(2))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "unsupported-relocation", subject: "a" }],
    });
  });
});

describe("computeDelta() point 10, selection", () => {
  test("carries the changed function and no other", () => {
    const verdict = patchedOf(two("x", "x"), two("x + 1", "x"));
    expect(replacedBy(verdict)).toEqual(["first"]);
    expect(codeOf(verdict)).toEqual([".text.first"]);
  });

  test("carries a new function, and calls it directly", () => {
    const verdict = patchedOf(
      two("x", "x"),
      `static noinline int fresh(int x) { return value(x) + value(x * 3); }\n${two("fresh(x)", "x")}`,
    );
    expect(replacedBy(verdict)).toEqual(["first"]);
    expect(verdict.added).toEqual(["fresh"]);
    expect(referencesOf(verdict, ".text.first")).toContain(".text.fresh");
  });

  test("carries what new things need in turn: function, table, string", () => {
    const fresh = `
      static noinline int deep(int x) { return printk("deep %d\\n", x) + value(x); }
      static int (*const calls[])(int) = { deep, value };
      static noinline int fresh(int x) { return calls[x](x) + value(x); }`;
    const verdict = patchedOf(two("x", "x"), fresh + two("fresh(x)", "x"));
    expect(codeOf(verdict).toSorted()).toEqual([".text.deep", ".text.first", ".text.fresh"]);
    expect(verdict.object.sections.map(({ name }) => name)).toContain(".rodata.calls");
    expect(referencesOf(verdict, ".rodata.calls")).toEqual([".text.deep", "original value"]);
  });

  test("carries the jump table of a switch", () => {
    const source = (n: number): string => `
      int choose(int x) {
        switch (x) { case 0: return value(1); case 1: return printk("b"); case 2: return value(3) * 2;
          case 3: return value(x) + 5; case 4: return value(7) - x; case 5: return printk("c"); default: return ${n}; }
      }`;
    const verdict = patchedOf(source(1), source(2), kernelTarget(), ["-fjump-tables"]);
    const table = verdict.object.sections.find(
      ({ name }) => name.startsWith(".rodata.choose") && !name.includes("str"),
    );
    expect(table?.relocations).toHaveLength(6);
    expect(referencesOf(verdict, ".rodata.choose").every((name) => name === ".text.choose")).toBe(true);
  });

  test("calls an unchanged static function where it is", () => {
    const helper = "static noinline int helper(int x) { return value(x) + value(x * 3); }\n";
    const verdict = patchedOf(
      helper + two("helper(x)", "helper(x)"),
      helper + two("helper(x + 1)", "helper(x)"),
    );
    expect(codeOf(verdict)).toEqual([".text.first"]);
    expect(referencesOf(verdict, ".text.first")).toContain("original helper");
  });

  test("uses an existing variable where it is, and no copy of it", () => {
    const source = (n: number): string => `
      static int state = 3; int shared; static int zero;
      int step(int x) { state += x; shared -= x; zero ^= x; return value(${n}); }`;
    const verdict = patchedOf(source(1), source(2));
    expect(referencesOf(verdict, ".text.step")).toEqual(
      expect.arrayContaining(["original state", "original shared", "original zero"]),
    );
    expect(verdict.object.sections.filter(({ name }) => /^\\.(data|bss)/.test(name))).toEqual([]);
  });

  test("takes the address of a replaced function from the original, and calls the replacement", () => {
    const source = (n: number): string => `
      extern void keep(int (*)(int));
      noinline int changed(int x) { return value(x + ${n}); }
      int user(int x) { keep(changed); return changed(x + ${n}) + 1; }`;
    expect(referencesOf(patchedOf(source(1), source(2)), ".text.user")).toEqual(
      expect.arrayContaining(["original changed", "changed"]),
    );
  });

  test("a new table of functions holds the original's address too: others compare it", () => {
    const source = (n: number, table: string): string => `
      noinline int changed(int x) { return value(x + ${n}); }
      ${table}
      int user(int x) { return ${table === "" ? "value(x)" : "calls[x](x)"}; }`;
    const verdict = patchedOf(
      source(1, ""),
      source(2, "static int (*const calls[])(int) = { changed, value };"),
    );
    expect(referencesOf(verdict, ".rodata.calls")).toEqual(["original changed", "original value"]);
  });

  test("a function that was code of the boot and is none any more comes along: the kernel's is gone", () => {
    const source = (attribute: string, use: string): string => `
      ${attribute} noinline int setup(int x) { return value(x) + value(x * 3); }
      int user(int x) { return ${use}; }`;
    const verdict = patchedOf(source('section(".init.text")', "value(x)"), source("", "setup(x)"));
    expect(codeOf(verdict).toSorted()).toEqual([".text.setup", ".text.user"]);
    expect(referencesOf(verdict, ".text.user")).not.toContain("original setup");
  });
});

describe("computeDelta() point 14, symbols", () => {
  const source = (n: number): string => `
    extern int exported(int), hidden(int);
    static noinline int own(int x) { return value(x) * value(x + 1); }
    int user(int x) { return exported(x) + hidden(x) + own(x) + ${n}; }`;
  const target = kernelTarget({
    object: "loop",
    resolve: ({ name }) =>
      name === "hidden"
        ? { kind: "livepatch", object: "vmlinux", sympos: 0 }
        : name === "own"
          ? { kind: "livepatch", object: "loop", sympos: 2 }
          : { kind: "exported" },
  });

  test("exported: an ordinary undefined symbol; any other: a livepatch symbol with object and sympos", () => {
    const verdict = patchedOf(source(1), source(2), target);
    applyLivepatchReferences(verdict.object, verdict.livepatchReferences);
    const places = verdict.object.symbols
      .filter(({ place }) => place.kind !== "section")
      .map(({ name, place }) => `${place.kind} ${name}`);
    expect(places.toSorted()).toEqual([
      "livepatch .klp.sym.loop.own,2",
      "livepatch .klp.sym.vmlinux.hidden,0",
      "undefined __fentry__",
      "undefined exported",
    ]);
  });

  test("what lies in a module is in the tables of that module, what lies in vmlinux in vmlinux's", () => {
    const verdict = patchedOf(source(1), source(2), target);
    applyLivepatchReferences(verdict.object, verdict.livepatchReferences);
    const user = verdict.object.sections.find(({ name }) => name === ".text.user");
    const tables = user?.livepatchRelocations.map(({ patchedObject, relocations }) => [
      patchedObject,
      relocations.map(({ symbol }) => symbol.name),
    ]);
    expect(Object.fromEntries(tables ?? [])).toEqual({
      vmlinux: [".klp.sym.vmlinux.hidden,0"],
      loop: [".klp.sym.loop.own,2"],
    });
  });

  test.each([
    ["static becomes global", "static used ", "", true],
    ["global becomes static", "", "static used ", false],
    ["global becomes weak", "", "__attribute__((weak)) ", false],
  ])("whose binding changed (%s) are looked for as the running kernel has them", (_, was, is, local) => {
    const kernel = kernelTarget({
      locate: (request) =>
        request.local === local
          ? { kind: "found", sympos: 0 }
          : { kind: "missing", why: "it is there with the other binding" },
    });
    const bound = (binding: string, n: number): string =>
      `${binding}int f(int x) { return value(x + ${n}); }`;
    expect(deltaOf(bound(was, 1), bound(is, 1))).toEqual({ kind: "unchanged" });
    expect(replacedBy(patchedOf(bound(was, 1), bound(is, 2), kernel))).toEqual(["f"]);
  });

  test("a weak function that gave way to another unit's is not in the kernel: its change is left out", () => {
    const weak = (n: number): string => `__attribute__((weak)) int f(int x) { return value(x + ${n}); }`;
    const why = "another unit's took its place";
    const overridden = kernelTarget({
      locate: ({ name }) => (name === "f" ? { kind: "overridden", why } : { kind: "found", sympos: 0 }),
    });
    expect(deltaOf(weak(1), weak(2), overridden)).toEqual({ kind: "unchanged" });
    const verdict = patchedOf(weak(1) + two("x", "x"), weak(2) + two("x", "x + 1"), overridden);
    expect(replacedBy(verdict)).toEqual(["second"]);
    expect(replacedBy(patchedOf(weak(1), weak(2)))).toEqual(["f"]);
  });

  test("in the output: an ordinary symbol, global only where it is new", () => {
    const verdict = patchedOf(source(1), `int fresh(int x) { return value(x); }${source(2)}`);
    const bindings = Object.fromEntries(verdict.object.symbols.map(({ name, binding }) => [name, binding]));
    expect(bindings).toMatchObject({ user: 0, fresh: 1 });
  });
});
