import { STT_SECTION } from "@kgraft/elf";
import { describe, expect, test } from "vitest";
import { codeOf, deltaOf, kernelTarget, patchedOf, referencesOf } from "../test/compile.ts";

const two = (first: string, second: string): string => `
int first(int x) { return value(${first}); }
int second(int x) { return value(${second}); }
`;

describe("computeDelta() selection", () => {
  test("finds nothing where nothing changed", () => {
    expect(deltaOf(two("x", "x"), two("x", "x"))).toEqual({ kind: "unchanged" });
  });

  test("carries the changed function and no other", () => {
    const verdict = patchedOf(two("x", "x"), two("x + 1", "x"));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["first"]);
    expect(codeOf(verdict)).toEqual([".text.first"]);
  });

  test("carries a new function, and calls it directly", () => {
    const verdict = patchedOf(
      two("x", "x"),
      `static noinline int fresh(int x) { return value(x) + value(x * 3); }\n${two("fresh(x)", "x")}`,
    );
    expect(verdict.functions.map(({ name }) => name)).toEqual(["first"]);
    expect(verdict.added).toEqual(["fresh"]);
    expect(referencesOf(verdict, ".text.first")).toContain(".text.fresh");
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

  test("takes the address of a replaced function from the original, and calls the replacement", () => {
    const source = (n: number): string => `
      extern void keep(int (*)(int));
      noinline int changed(int x) { return value(x + ${n}); }
      int user(int x) { keep(changed); return changed(x + ${n}) + 1; }`;
    const verdict = patchedOf(source(1), source(2));
    expect(referencesOf(verdict, ".text.user")).toEqual(
      expect.arrayContaining(["original changed", "changed"]),
    );
  });

  test("carries the unlikely part of a function with it", () => {
    const source = (n: number): string => `
      extern void bad(int) __attribute__((cold));
      int checked(int x) { if (x > 7) { bad(x); bad(x * 3 + ${n}); return value(1) + 3; } return value(x); }`;
    const verdict = patchedOf(source(1), source(2));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["checked"]);
    expect(codeOf(verdict).toSorted()).toEqual([".text.checked", ".text.unlikely.checked"]);
  });
});

describe("computeDelta() comparison", () => {
  test("takes a string by its text, wherever it lies", () => {
    const source = (more: string): string => `${more}
      int speak(int x) { return printk("one %d\\n", x); }`;
    const shifted = `int other(int x) { return printk("zero %d\\n", x); }`;
    const verdict = patchedOf(source(""), `${shifted}${source("")}`);
    expect([verdict.functions, verdict.added]).toEqual([[], ["other"]]);
    expect(deltaOf(source(""), source("").replace("one", "two")).kind).toBe("patched");
  });

  test("knows a static local though gcc counts it anew", () => {
    const source = (more: string, n: number): string => `
      ${more}
      int count(int x) { static int calls = 5; calls += x; return value(calls + ${n}); }`;
    const verdict = patchedOf(
      source("", 1),
      source("int more(int x) { static int calls = 5; calls -= x; return value(calls); }", 2),
    );
    expect(verdict.functions.map(({ name }) => name)).toEqual(["count"]);
    expect(
      referencesOf(verdict, ".text.count").filter((name) => /original calls\.\d+/.test(name)),
    ).not.toEqual([]);
    expect(verdict.object.sections.filter(({ name }) => name.startsWith(".data.calls"))).toHaveLength(1);
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

  test("knows nameless tables by the table that leads to them", () => {
    const source = (n: number): string => `
      struct route { int to; int *from; };
      struct route routes[] = { { 1, (int[]){ 1, 2, 0 } }, { 2, (int[]){ 3, 0 } } };
      int get(int i) { return value(routes[i].from[0] + ${n}); }`;
    expect(deltaOf(source(1), source(1)).kind).toBe("unchanged");
    expect(patchedOf(source(1), source(2)).functions.map(({ name }) => name)).toEqual(["get"]);
  });

  test("carries a static local's constant that changed, and finds one that did not", () => {
    const source = (last: number, n: number): string => `
      int pick(int i) { static const int table[] = { 3, 1, 4, ${last} }; return value(table[i] + ${n}); }`;
    expect(referencesOf(patchedOf(source(1, 1), source(1, 2)), ".text.pick")).toContainEqual(
      expect.stringMatching(/^original table\.\d+$/),
    );
    const changed = patchedOf(source(1, 1), source(5, 1));
    expect(changed.functions.map(({ name }) => name)).toEqual(["pick"]);
    expect(changed.object.sections.some(({ name }) => name.startsWith(".rodata.table"))).toBe(true);
  });

  test("knows what stands before the first symbol of a section", () => {
    const source = (n: number): string => `
      asm(".pushsection .data.set,\\"aw\\"\\nhead: .long 7\\n.type item,@object\\nitem: .long 8\\n.popsection");
      extern int head[];
      asm(".local head");
      int get(void) { return value(head[0] + ${n}); }`;
    expect(deltaOf(source(1), source(1)).kind).toBe("unchanged");
  });

  test("sees a change that is only in what an alternative is replaced by", () => {
    const source = (instruction: string): string => `
      int fast(int x) {
        asm volatile("661:\\n\\tnop\\n662:\\n.pushsection .altinstructions,\\"a\\"\\n"
          " .long 661b - .\\n .long 663f - .\\n .word 7\\n .byte 662b-661b\\n .byte 664f-663f\\n"
          ".popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n663: ${instruction}\\n664:\\n.popsection");
        return value(x);
      }`;
    expect(deltaOf(source("nop"), source("nop")).kind).toBe("unchanged");
    const verdict = patchedOf(source("nop"), source("cltd"));
    expect(verdict.object.sections.map(({ name }) => name)).toEqual(
      expect.arrayContaining([".altinstructions", ".altinstr_replacement"]),
    );
  });
});

describe("computeDelta() of static locals of one name", () => {
  const helpers = `
    static inline int a(int x) { static int cnt; cnt += x; return value(cnt); }
    static inline int b(int x) { static int cnt; cnt += x; return value(cnt); }`;
  const users = (f: string, g: string, h: string): string => `${helpers}
    int f(int x) { return ${f} + 1; }
    int g(int x) { return ${g} + 2; }
    int h(int x) { return ${h}; }`;
  const before = users("a(x)", "b(x)", "a(x) * 7");
  const changes: Readonly<Record<string, string>> = {
    "one function now uses the other's": users("b(x)", "b(x)", "a(x) * 7"),
    "all now use one": users("b(x)", "b(x)", "b(x) * 7"),
  };

  test.each(Object.entries(changes))("never hands one over for the other: %s", (_, after) => {
    expect(deltaOf(before, after)).toMatchObject({
      kind: "refused",
      reasons: expect.arrayContaining([expect.objectContaining({ code: "ambiguous-static" })]),
    });
  });

  test("tells them apart where all users agree", () => {
    const verdict = patchedOf(before, users("a(x)", "b(x)", "a(x) * 9"));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["h"]);
  });
});

describe("computeDelta() special sections", () => {
  const bug = (name: string, n: number): string => `
    int ${name}(int x) {
      if (x == 3) asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - .\\n .long 0\\n .word ${n}, 0\\n.popsection");
      return value(x + ${n});
    }`;

  test("keeps the entries of carried functions and no others", () => {
    const verdict = patchedOf(
      bug("a", 1) + bug("b", 1) + bug("c", 1),
      bug("a", 1) + bug("b", 2) + bug("c", 1),
    );
    const table = verdict.object.sections.find(({ name }) => name === "__bug_table");
    expect(table?.sizeBytes).toBe(12);
    const places = table?.relocations.map(({ symbol: { place, type } }) => [
      type,
      place.kind === "section" && place.section.name,
    ]);
    // Against the section, as objtool wants it.
    expect(places).toEqual([[STT_SECTION, ".text.b"]]);
    expect(verdict.object.sections.find(({ name }) => name === "__mcount_loc")?.sizeBytes).toBe(8);
  });

  test("carries an alternative that is replaced by nothing without its neighbour's", () => {
    const alternative = (name: string, replacement: string, n: number): string => `
      int ${name}(int x) {
        asm volatile("661:\\n\\tnop\\n662:\\n.pushsection .altinstructions,\\"a\\"\\n"
          " .long 661b - .\\n .long 663f - .\\n .word 7\\n .byte 662b-661b\\n .byte 664f-663f\\n"
          ".popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n663: ${replacement}\\n664:\\n.popsection");
        return value(x + ${n});
      }`;
    const source = (next: string, n: number): string => alternative("a", "", n) + alternative("b", next, 1);
    expect(patchedOf(source("nop", 1), source("cltd", 1)).functions.map(({ name }) => name)).toEqual(["b"]);
    const verdict = patchedOf(source("nop", 1), source("nop", 2));
    const sections = verdict.object.sections.map(({ name }) => name);
    expect(sections).toContain(".altinstructions");
    expect(sections).not.toContain(".altinstr_replacement");
  });

  test("lets code point at the entry that comes along with it", () => {
    const warn = (name: string, n: number): string => `
      int ${name}(int x) {
        void *entry;
        asm volatile("lea 2f(%%rip), %0\\n1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - .\\n .long 0\\n .word ${n}, 0\\n.popsection" : "=r" (entry));
        return value(x + ${n} + *(int *)entry);
      }`;
    const verdict = patchedOf(
      warn("a", 1) + warn("b", 1) + warn("c", 1),
      warn("a", 1) + warn("b", 1) + warn("c", 2),
    );
    const code = verdict.object.sections.find(({ name }) => name === ".text.c");
    const toTable = code?.relocations.filter(
      ({ symbol: { place } }) => place.kind === "section" && place.section.name === "__bug_table",
    );
    expect(verdict.object.sections.find(({ name }) => name === "__bug_table")?.sizeBytes).toBe(12);
    expect(toTable?.map(({ addend }) => addend)).toEqual([-4]);
  });

  const branch = (key: string, n: number): string => `
    extern long ${key}[2];
    int switched(int x) {
      asm goto("1: .byte 0x0f,0x1f,0x44,0x00,0x00\\n.pushsection __jump_table,\\"aw\\"\\n .balign 8\\n"
        " .long 1b - ., %l[yes] - .\\n .quad ${key} - .\\n.popsection" : : : : yes);
      return value(x + ${n});
      yes: return value(x - ${n});
    }`;
  const module = (name: string): ReturnType<typeof kernelTarget> =>
    kernelTarget({
      object: "loop",
      resolve: (request) =>
        request.name === name
          ? { kind: "livepatch", object: "loop", sympos: 0 }
          : { kind: "livepatch", object: "vmlinux", sympos: 0 },
    });

  test("keeps a static branch whose key is in vmlinux", () => {
    const verdict = patchedOf(branch("some_key", 1), branch("some_key", 2));
    expect(referencesOf(verdict, "__jump_table")).toContain("original some_key");
  });

  test("offers the key of a static call beside its trampoline", () => {
    const source = (n: number): string =>
      `extern int __SCT__tick(int); int f(int x) { return __SCT__tick(x) + value(${n}); }`;
    const undefinedOnes = patchedOf(source(1), source(2)).object.symbols.filter(
      ({ place }) => place.kind === "undefined",
    );
    expect(undefinedOnes.map(({ name }) => name)).toContain("__SCK__tick");
  });

  test("leaves a tracepoint of a module off, with a warning", () => {
    const verdict = patchedOf(
      branch("__tracepoint_x", 1),
      branch("__tracepoint_x", 2),
      module("__tracepoint_x"),
    );
    expect(verdict.object.sections.some(({ name }) => name === "__jump_table")).toBe(false);
    expect(verdict.warnings.map(({ code }) => code)).toEqual(["unreachable-key"]);
  });

  test("refuses any other key of a module", () => {
    const verdict = deltaOf(branch("module_key", 1), branch("module_key", 2), module("module_key"));
    expect(verdict).toMatchObject({ kind: "refused", reasons: [{ code: "unreachable-key" }] });
  });
});

describe("computeDelta() of what macros make", () => {
  const debug = (id: number, text: string, n: number): string => `
    int debugged${id}(int x) {
      static struct { const char *format; long key; } __UNIQUE_ID_ddebug${id} section("__dyndbg") = { "${text}" };
      if (x == 5) keep(&__UNIQUE_ID_ddebug${id});
      return value(x + ${n});
    }`;
  const keep = "extern void keep(void *);";

  test("carries the descriptor of a debug message, whatever its number", () => {
    const before = `${keep}${debug(1, "one", 1)}`.replace("debugged1", "debugged");
    const moved = `${keep}${debug(2, "one", 1)}`.replace("debugged2", "debugged");
    expect(deltaOf(before, moved)).toEqual({ kind: "unchanged" });
    const verdict = patchedOf(before, moved.replace('"one"', '"two"'));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["debugged"]);
    expect(verdict.object.sections.find(({ name }) => name === "__dyndbg")?.sizeBytes).toBe(16);
  });

  test("refuses an alternative that reaches into a module", () => {
    const source = (n: number): string => `
      extern int late(int);
      int fast(int x) {
        asm volatile("661:\\n\\tcall late\\n662:\\n.pushsection .altinstructions,\\"a\\"\\n"
          " .long 661b - .\\n .long 663f - .\\n .word 7\\n .byte 662b-661b\\n .byte 664f-663f\\n"
          ".popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n663: nop\\n664:\\n.popsection");
        return value(x + ${n});
      }`;
    const target = (object: string): ReturnType<typeof kernelTarget> =>
      kernelTarget({
        object: "loop",
        resolve: ({ name }) => ({
          kind: "livepatch",
          object: name === "late" ? object : "vmlinux",
          sympos: 0,
        }),
      });
    expect(deltaOf(source(1), source(2), target("vmlinux")).kind).toBe("patched");
    expect(deltaOf(source(1), source(2), target("loop"))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "relocation-in-alternative", subject: "fast" }],
    });
  });
});

describe("computeDelta() refusal", () => {
  const user = (n: number): string => `\nint user(int x) { return value(x + ${n}); }`;
  const rejections: Readonly<
    Record<string, { before: string; after: string; code: string; subject: string }>
  > = {
    "a variable's changed initial value": {
      before: `int limit = 3;\nint get(void) { return value(limit); }`,
      after: `int limit = 4;\nint get(void) { return value(limit); }`,
      code: "changed-data",
      subject: "limit",
    },
    "a variable that grew": {
      before: `int table[2] = {1, 2};\nint get(int i) { return value(table[i]); }`,
      after: `int table[3] = {1, 2, 3};\nint get(int i) { return value(table[i]); }`,
      code: "changed-data",
      subject: "table",
    },
    "a changed table of functions": {
      before: `int a(void) { return 1; } int b(void) { return 2; }\nint (*const ops[])(void) = {a};`,
      after: `int a(void) { return 1; } int b(void) { return 2; }\nint (*const ops[])(void) = {b};`,
      code: "changed-data",
      subject: "ops",
    },
    "a variable that moved to another section": {
      before: `section(".data..read_mostly") int limit = 3;\nint get(void) { return value(limit); }`,
      after: `int limit = 3;\nint get(void) { return value(limit); }`,
      code: "changed-data",
      subject: "limit",
    },
    "a function that runs once at boot": {
      before: `section(".init.text") int setup(int x) { return value(x); }`,
      after: `section(".init.text") int setup(int x) { return value(x + 1); }`,
      code: "changed-init",
      subject: "setup",
    },
    "a function that ftrace cannot redirect": {
      before: `notrace int quiet(int x) { return value(x); }`,
      after: `notrace int quiet(int x) { return value(x + 1); }`,
      code: "no-traced-entry",
      subject: "quiet",
    },
    "a table that only the kernel's own build can fill": {
      before: user(1),
      after: `section(".BTF_ids") int set[] = { 0, 0 };\nint user(int x) { return value(x + set[0]); }`,
      code: "unsupported-section",
      subject: ".BTF_ids",
    },
    "a new initcall": {
      before: user(1),
      after: `${user(2)}\nsection(".init.text") int setup(void) { return 0; }\nused section(".initcall6.init") static void *call = setup;`,
      code: "changed-section",
      subject: ".initcall6.init",
    },
  };

  test.each(Object.entries(rejections))("names %s", (_, { before, after, code, subject }) => {
    const verdict = deltaOf(before, after);
    expect(verdict.kind).toBe("refused");
    expect(verdict).toMatchObject({
      reasons: expect.arrayContaining([expect.objectContaining({ code, subject })]),
    });
  });

  test("names every reason, not only the first", () => {
    const source = (n: number): string =>
      `int limit = ${n};\nint other = ${n};\nnotrace int quiet(int x) { return value(x + limit + other + ${n}); }`;
    const verdict = deltaOf(source(1), source(2));
    expect(verdict.kind === "refused" && verdict.reasons.map(({ subject }) => subject).toSorted()).toEqual([
      "limit",
      "other",
      "quiet",
    ]);
  });

  test("names a static function that the shipped kernel has not", () => {
    const helper = "static noinline int helper(int x) { return value(x) + value(x * 3); }\n";
    const target = kernelTarget({
      resolve: ({ local }) =>
        local ? { kind: "missing", why: "not there" } : { kind: "livepatch", object: "vmlinux", sympos: 0 },
    });
    const verdict = deltaOf(helper + two("helper(x)", "x"), helper + two("helper(x + 1)", "x"), target);
    expect(verdict).toMatchObject({
      kind: "refused",
      reasons: [{ code: "unknown-symbol", subject: "helper" }],
    });
  });

  test("names a changed function that the shipped kernel has not", () => {
    const target = kernelTarget({ locate: () => ({ kind: "ambiguous", why: "there are two" }) });
    expect(deltaOf(two("x", "x"), two("x + 1", "x"), target)).toMatchObject({
      kind: "refused",
      reasons: [{ code: "ambiguous-symbol", subject: "first" }],
    });
  });
});
