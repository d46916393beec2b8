/**
 * What a difference engine must handle, point 13: each refusal, with its reason, what it is about, and that all of
 * them are named. The table has one row at least for each code, or it does not compile.
 */
import { describe, expect, test } from "vitest";
import { compile, deltaOf, kernelTarget, patchedOf } from "../test/compile.ts";
import { computeDelta, type LinkTarget, type ReasonCode } from "./mod.ts";

interface Refusal {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  readonly subject: string;
  readonly target?: LinkTarget;
  readonly options?: readonly string[];
}

const user = (n: number): string => `\nint user(int x) { return value(x + ${n}); }`;
const calls = (name: string, n: number): string =>
  `extern int ${name}(int);\nint user(int x) { return ${name}(x + ${n}); }`;
const helper = "static noinline int helper(int x) { return value(x) + value(x * 3); }\n";
const usesHelper = (n: number): string => `${helper}int user(int x) { return helper(x) + ${n}; }`;
const resolving = (kind: "missing" | "ambiguous"): LinkTarget =>
  kernelTarget({
    resolve: ({ name }) =>
      name === "helper"
        ? { kind, why: "so the test says" }
        : { kind: "livepatch", object: "vmlinux", sympos: 0 },
  });
const inLoop = (name: string): LinkTarget =>
  kernelTarget({
    object: "loop",
    resolve: (request) => ({
      kind: "livepatch",
      object: request.name === name ? "loop" : "vmlinux",
      sympos: 0,
    }),
  });
const table = (section: string, entry: string): string =>
  `.pushsection ${section},\\"a\\"\\n${entry}\\n.popsection\\n`;
const staticsOf = (f: string, g: string): string => `
  static inline int a(int x) { static int cnt; cnt += x; return value(cnt); }
  static inline int b(int x) { static int cnt; cnt += x; return value(cnt); }
  int f(int x) { return ${f} + 1; }
  int g(int x) { return ${g} + 2; }
  int h(int x) { return a(x) * 7; }`;
/** Variables that an attribute puts into one section: the compiler lays out the last first. */
const shared = (variables: readonly string[], code: string): string =>
  `extern int look(int *);\n${variables.map((one) => `static int ${one.replace(" =", ' section(".data..read_mostly") =')};`).join("\n")}\n${code}`;
const array = "arr[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }";
const throughArray = (more: string): string =>
  `int f(void) { int sum = ${more}; for (int *p = arr; p != arr + 8; p++) sum += look(p); return sum; }`;
const beforeArray = (n: number): string =>
  `int f(long x) { int found; asm("movl arr - 4(,%1,4), %0" : "=r"(found) : "r"(x)); return value(found + last + arr[x] + ${n}); }`;
/** What it changes has the size that it had, so that every label stays where it was. */
const threaded = (type: string, n: number): string =>
  `int f(int i) { ${type} way[] = { &&a, &&b }; goto *way[i]; a: return value(1); b: return value(${n}); }`;
const untyped = (section: string, contents: string): string =>
  `${user(1)}\nasm(".pushsection ${section}\\n.globl place\\nplace: ${contents}\\n.popsection");`;
const afterVariable = (n: number): string =>
  `${user(1)}\nasm(".pushsection .rodata.shared,\\"a\\"\\n.type first,@object\\n.size first,4\\nfirst: .long 1\\n"
    ".type second,@object\\n.size second,4\\nsecond: .long 1\\n.globl place\\nplace: .long ${n}\\n.popsection");`;
const inGroup = (n: number): string => `
  asm(".pushsection .text.shared,\\"axG\\",@progbits,shared,comdat\\n.weak shared\\n.type shared,@function\\n"
    "shared: call __fentry__\\nmov $${n},%eax\\nret\\n.size shared, .-shared\\n.popsection");`;

const refusals: Readonly<Record<Exclude<ReasonCode, "left-out" | "thread-function">, readonly Refusal[]>> = {
  "changed-data": [
    {
      what: "a variable's changed initial value",
      before: `int limit = 3;\nint get(void) { return value(limit); }`,
      after: `int limit = 4;\nint get(void) { return value(limit); }`,
      subject: "limit",
    },
    {
      what: "a variable that grew",
      before: `int table[2] = {1, 2};\nint get(int i) { return value(table[i]); }`,
      after: `int table[3] = {1, 2, 3};\nint get(int i) { return value(table[i]); }`,
      subject: "table",
    },
    {
      what: "a variable that had no initial value",
      before: `int limit;\nint get(void) { return value(limit); }`,
      after: `int limit = 4;\nint get(void) { return value(limit); }`,
      subject: "limit",
    },
    {
      what: "a changed table of functions",
      before: `int a(void) { return 1; } int b(void) { return 2; }\nint (*const ops[])(void) = {a};`,
      after: `int a(void) { return 1; } int b(void) { return 2; }\nint (*const ops[])(void) = {b};`,
      subject: "ops",
    },
    {
      what: "a changed text in a table",
      before: `const char *names[] = { "one", "two" };`,
      after: `const char *names[] = { "one", "six" };`,
      subject: "names",
    },
    {
      what: "a variable that moved to another section",
      before: `section(".data..read_mostly") int limit = 3;\nint get(void) { return value(limit); }`,
      after: `int limit = 3;\nint get(void) { return value(limit); }`,
      subject: "limit",
    },
    {
      what: "a variable that became constant",
      before: `int limit = 3;\nint get(void) { return value(limit); }`,
      after: `const int limit = 3;\nextern const int limit; int get(void) { return value(*(volatile const int *)&limit); }`,
      subject: "limit",
    },
    {
      what: "a variable with a wider alignment",
      before: `int limit = 3;\nint get(void) { return value(limit); }`,
      after: `__attribute__((aligned(64))) int limit = 3;\nint get(void) { return value(limit); }`,
      subject: "limit",
    },
    {
      what: "a common variable that grew",
      before: `int many[3];\nint get(int x) { return value(many[x]); }`,
      after: `int many[4];\nint get(int x) { return value(many[x]); }`,
      subject: "many",
      options: ["-fcommon"],
    },
    {
      what: "a variable with a wider alignment, of a section that an attribute chose",
      before: shared(["last = 1", array], throughArray("last")),
      after: shared(["last __attribute__((aligned(64))) = 1", array], throughArray("last")),
      subject: "last",
    },
    {
      what: "assembly of a name without a type, after a variable of its section",
      before: afterVariable(1),
      after: afterVariable(2),
      subject: "second",
    },
    {
      what: "a function that jumps by a table of its labels",
      before: threaded("static const void *const", 2),
      after: threaded("static const void *const", 3),
      subject: "way.0",
    },
    {
      what: "a function that jumps by a table of its labels which it may change",
      before: threaded("static void *", 2),
      after: threaded("static void *", 3),
      subject: "way.0",
    },
    {
      what: "assembly of a name without a type",
      before: untyped(".text", "movl $1, %eax\\nret"),
      after: untyped(".text", "movl $2, %eax\\nret"),
      subject: "place",
    },
    {
      what: "assembly of a name without a type, for data",
      before: untyped(".data", ".long 1"),
      after: untyped(".data", ".long 2"),
      subject: "place",
    },
  ],
  "changed-section": [
    {
      what: "a new initcall",
      before: user(1),
      after: `${user(2)}\nsection(".init.text") int setup(void) { return 0; }\nused section(".initcall6.init") static void *call = setup;`,
      subject: ".initcall6.init",
    },
    {
      what: "a changed parameter of the module",
      before: `${user(1)}\nstruct p { const char *name; int mode; };\nused section("__param") static const struct p p = { "x", 0444 };`,
      after: `${user(1)}\nstruct p { const char *name; int mode; };\nused section("__param") static const struct p p = { "x", 0644 };`,
      subject: "__param",
    },
  ],
  "changed-init": [
    {
      what: "a function that runs once at boot",
      before: `section(".init.text") int setup(int x) { return value(x); }`,
      after: `section(".init.text") int setup(int x) { return value(x + 1); }`,
      subject: "setup",
    },
  ],
  "reaches-init": [
    {
      what: "new code that is thrown away once the patch is loaded",
      before: user(1),
      after: `section(".init.text") noinline int setup(int x) { return value(x) + 1; }\nint user(int x) { return setup(x); }`,
      subject: "setup",
    },
    {
      what: "a module's code that was thrown away when it started",
      before: `section(".init.text") noinline int setup(int x) { return value(x) + 1; }\nint user(int x) { return value(x); }`,
      after: `section(".init.text") noinline int setup(int x) { return value(x) + 1; }\nint user(int x) { return setup(x); }`,
      subject: "user",
      target: inLoop("setup"),
    },
  ],
  "moved-symbol": [
    {
      what: "an alias that moves to another function",
      before: `int f(int x) { return value(x); }\nint g(int x) { return value(x + 1); }\nint h(int) __attribute__((alias("f")));`,
      after: `int f(int x) { return value(x); }\nint g(int x) { return value(x + 1); }\nint h(int) __attribute__((alias("g")));`,
      subject: "h",
    },
    {
      what: "an alias that becomes a function of its own",
      before: `int f(int x) { return value(x); }\nint h(int) __attribute__((alias("f")));`,
      after: `int f(int x) { return value(x); }\nint h(int x) { return value(x + 1); }`,
      subject: "h",
    },
    {
      what: "a function that becomes a variable",
      before: `int f(int x) { return value(x); }`,
      after: `int f = 3;`,
      subject: "f",
    },
    {
      what: "a variable that was another unit's",
      before: `extern int total;\nint f(int x) { total += x; return value(total); }`,
      after: `int total = 5;\nint f(int x) { total += x; return value(total); }`,
      subject: "total",
    },
    {
      what: "a function that was another unit's",
      before: `extern int g(int);\nint f(int x) { return value(g(x)); }`,
      after: `noinline int g(int x) { return value(x) + 8; }\nint f(int x) { return value(g(x)); }`,
      subject: "g",
    },
    {
      what: "a common variable that has an initial value now",
      before: `int total;\nint f(int x) { total += x; return value(total); }`,
      after: `int total = 5;\nint f(int x) { total += x; return value(total); }`,
      subject: "total",
      options: ["-fcommon"],
    },
  ],
  "no-traced-entry": [
    {
      what: "a function that ftrace cannot redirect",
      before: `notrace int quiet(int x) { return value(x); }`,
      after: `notrace int quiet(int x) { return value(x + 1); }`,
      subject: "quiet",
    },
    {
      what: "a function that only the changed source makes traceable",
      before: `notrace int quiet(int x) { return value(x); }`,
      after: `int quiet(int x) { return value(x + 1); }`,
      subject: "quiet",
    },
  ],
  "unknown-symbol": [
    {
      what: "a static function that the shipped kernel has not",
      before: usesHelper(1),
      after: usesHelper(2),
      subject: "helper",
      target: resolving("missing"),
    },
    {
      what: "a changed function that the shipped kernel has not",
      before: user(1),
      after: user(2),
      subject: "user",
      target: kernelTarget({ locate: () => ({ kind: "missing", why: "so the test says" }) }),
    },
    {
      what: "a name that the kernel cannot parse",
      before: calls("other", 1),
      after: calls("other", 2),
      subject: "other",
      target: kernelTarget({
        resolve: ({ name }) => ({
          kind: "livepatch",
          object: name === "other" ? "bad.name" : "vmlinux",
          sympos: 0,
        }),
      }),
    },
  ],
  "ambiguous-symbol": [
    {
      what: "a static function that the shipped kernel has twice",
      before: usesHelper(1),
      after: usesHelper(2),
      subject: "helper",
      target: resolving("ambiguous"),
    },
    {
      what: "a changed function that the shipped kernel has twice",
      before: user(1),
      after: user(2),
      subject: "user",
      target: kernelTarget({ locate: () => ({ kind: "ambiguous", why: "so the test says" }) }),
    },
  ],
  "ambiguous-static": [
    {
      what: "a static local that may be another one's",
      before: staticsOf("a(x)", "b(x)"),
      after: staticsOf("b(x)", "b(x)"),
      subject: "cnt.0",
    },
    {
      what: "a static local that may have become the file's",
      before: `int f(int x) { static int cnt; cnt += x; return value(cnt); }`,
      after: `static int cnt;\nint f(int x) { cnt += x; return value(cnt); }`,
      subject: "cnt",
    },
    {
      what: "a variable that may have become a static local",
      before: `static int cnt;\nint f(int x) { cnt += x; return value(cnt); }`,
      after: `int f(int x) { static int cnt; cnt += x; return value(cnt); }`,
      subject: "cnt.0",
    },
  ],
  "ambiguous-place": [
    {
      what: "the end of an array, where now a new variable lies",
      before: shared(["last = 1", array], throughArray("last")),
      after: shared(
        ["last = 1", "fresh __attribute__((aligned(32))) = 2", array],
        throughArray("last + fresh"),
      ),
      subject: "f",
    },
    {
      what: "the end of an array, whose neighbour is gone",
      before: shared(
        ["last = 1", "gone __attribute__((aligned(32))) = 2", array],
        throughArray("last + gone"),
      ),
      after: shared(["last __attribute__((aligned(32))) = 1", array], throughArray("last + 1")),
      subject: "f",
    },
    {
      what: "a place before an array, where now a new variable lies",
      before: shared([array, "last = 1"], beforeArray(1)),
      after: shared([array, "fresh = 2", "last = 1"], beforeArray(1).replace("+ 1", "+ fresh++")),
      subject: "f",
    },
  ],
  "unreachable-key": [
    {
      what: "a static branch whose key is a module's",
      before: `int f(int x) { asm("1: nop\\n2:\\n${table("__jump_table", ".long 1b - ., 2b - .\\n.quad key - .")}"); return value(x); }`,
      after: `int f(int x) { asm("1: nop\\n2:\\n${table("__jump_table", ".long 1b - ., 2b - .\\n.quad key - .")}"); return value(x + 1); }`,
      subject: "f",
      target: inLoop("key"),
    },
  ],
  "relocation-in-alternative": [
    {
      what: "an alternative that reaches into a module",
      before: `int f(int x) { asm("661: call late\\n662:\\n${table(".altinstructions", ".long 661b - ., 663f - .\\n.word 7\\n.byte 662b-661b, 664f-663f")}${table(".altinstr_replacement", "663: nop\\n664:").replace('"a', '"ax')}"); return value(x); }`,
      after: `int f(int x) { asm("661: call late\\n662:\\n${table(".altinstructions", ".long 661b - ., 663f - .\\n.word 7\\n.byte 662b-661b, 664f-663f")}${table(".altinstr_replacement", "663: nop\\n664:").replace('"a', '"ax')}"); return value(x + 1); }`,
      subject: "f",
      target: inLoop("late"),
    },
  ],
  "sealed-function": [
    {
      what: "the address of a function that may only be called by name",
      before: calls("helper", 1),
      after: `extern int helper(int);\nextern int hand(int (*)(int));\nint user(int x) { return hand(helper); }`,
      subject: "helper",
      target: kernelTarget({ isSealed: ({ name }) => name === "helper" }),
    },
  ],
  "unresolved-reference": [
    {
      what: "a use of another function's entry in a table",
      before: `int a(int x) { asm("1: ud2\\n${table("__bug_table", "2: .globl entry_of_a\\nentry_of_a: .long 1b - ., 0, 0")}"); return value(x); }\nextern int entry_of_a;\nint f(int x) { return value(x); }`,
      after: `int a(int x) { asm("1: ud2\\n${table("__bug_table", "2: .globl entry_of_a\\nentry_of_a: .long 1b - ., 0, 0")}"); return value(x); }\nextern int entry_of_a;\nint f(int x) { return value(entry_of_a); }`,
      subject: "__bug_table",
    },
  ],
  "unsupported-relocation": [
    {
      what: "a place out of range",
      before: `extern char all[];\nint f(int x) { asm("call all + 0x123456789"); return value(x); }`,
      after: `extern char all[];\nint f(int x) { asm("call all + 0x123456789"); return value(x + 1); }`,
      subject: "f",
    },
    {
      what: "a relocation that the module loader does not know",
      before: `extern int far(int);\nint f(int x) { return far(x + 1); }`,
      after: `extern int far(int);\nint f(int x) { return far(x + 2); }`,
      subject: "f",
      options: ["-fpic", "-fno-plt", "-mcmodel=small"],
    },
  ],
  "unsupported-section": [
    {
      what: "a table that only the kernel's own build can fill",
      before: user(1),
      after: `section(".BTF_ids") int set[] = { 0, 0 };\nint user(int x) { return value(x + set[0]); }`,
      subject: ".BTF_ids",
    },
    {
      what: "a table whose entries have no known size",
      before: `${user(1)}\nasm("${table("__bug_table", ".long 1, 2, 3")}");`,
      after: `${user(2)}\nasm("${table("__bug_table", ".long 1, 2, 3")}");`,
      subject: "__bug_table",
      target: kernelTarget({ typeSizes: new Map() }),
    },
    {
      what: "a table whose entries are not as large as the kernel's types say",
      before: `int f(int x) { asm("1: ud2\\n${table("__bug_table", ".long 1b - ., 0, 0")}"); asm("1: ud2\\n${table("__bug_table", ".long 1b - ., 0, 0")}"); return value(x); }`,
      after: `int f(int x) { asm("1: ud2\\n${table("__bug_table", ".long 1b - ., 0, 0")}"); asm("1: ud2\\n${table("__bug_table", ".long 1b - ., 0, 0")}"); return value(x + 1); }`,
      subject: "__bug_table",
      target: kernelTarget({ typeSizes: new Map([["bug_entry", 16]]) }),
    },
  ],
  "grouped-section": [
    {
      what: "a function that objects share (COMDAT)",
      before: inGroup(1),
      after: inGroup(2),
      subject: "shared",
    },
  ],
  "nameless-data": [
    {
      what: "a variable without a name",
      before: `int f(int x) { asm("incl 1f\\n.pushsection .data.hidden,\\"aw\\"\\n1: .long 5\\n.popsection"); return value(x); }`,
      after: `int f(int x) { asm("incl 1f\\n.pushsection .data.hidden,\\"aw\\"\\n1: .long 5\\n.popsection"); return value(x + 1); }`,
      subject: ".data.hidden+0x0",
    },
  ],
  "not-split": [
    {
      what: "objects compiled without a section for each function",
      before: `int a(int x) { return value(x); }${user(1)}`,
      after: `int a(int x) { return value(x); }${user(2)}`,
      subject: "unit.o",
      options: ["-fno-function-sections"],
    },
  ],
};

const rows = Object.entries(refusals).flatMap(([code, all]) => all.map((row) => ({ code, ...row })));

describe("computeDelta() point 13, refusals", () => {
  test.each(rows)("$code: $what", ({ code, before, after, subject, target, options }) => {
    const verdict = deltaOf(before, after, target ?? kernelTarget(), options);
    expect(verdict.kind).toBe("refused");
    const reasons = verdict.kind === "refused" ? verdict.reasons : [];
    expect(reasons).toContainEqual(expect.objectContaining({ code, subject }));
    for (const { message } of reasons) expect(message).not.toMatch(/undefined|\.$/);
  });

  test.each(rows)("$code: $what, and nothing where nothing changed", ({ before, target, options }) => {
    const verdict = deltaOf(before, before, target ?? kernelTarget(), options);
    // A table that cannot be read may hide a change.
    const unreadable =
      verdict.kind === "refused" && verdict.reasons.every(({ subject }) => subject === "__bug_table");
    expect(unreadable ? "unchanged" : verdict.kind).toBe("unchanged");
  });

  test("every reason is named, not only the first", () => {
    const source = (n: number): string =>
      `int limit = ${n};\nint other = ${n};\nnotrace int quiet(int x) { return value(x + limit + other + ${n}); }`;
    const verdict = deltaOf(source(1), source(2));
    expect(verdict.kind === "refused" && verdict.reasons.map(({ subject }) => subject).toSorted()).toEqual([
      "limit",
      "other",
      "quiet",
    ]);
  });

  test("a reason that holds at many places is named once", () => {
    const branch =
      `asm("1: nop\\n2:\\n${table("__jump_table", ".long 1b - ., 2b - .\\n.quad key - .")}");`.repeat(3);
    const twice = (n: number): string => `int f(int x) { ${branch} return value(x + ${n}); }`;
    const switched = deltaOf(twice(1), twice(2), inLoop("key"));
    expect(switched.kind === "refused" && switched.reasons).toHaveLength(1);
  });

  test("functions of assembly in .text are no sign of objects that are not split", () => {
    const source = (n: number): string => `
      asm(".text\\n.type one,@function\\none: ret\\n.size one, .-one\\n.type two,@function\\ntwo: ret\\n.size two, .-two");
      ${user(n)}`;
    expect(patchedOf(source(1), source(2)).functions.map(({ name }) => name)).toEqual(["user"]);
  });

  test("objects of another processor are no input at all", () => {
    const object = compile(user(1));
    for (const other of [
      { ...object, machine: 21 },
      { ...object, machine: 3 },
    ]) {
      expect(() => computeDelta(object, other, kernelTarget())).toThrow(/machines are 62 and \d+, wanted 62/);
      expect(() => computeDelta(other, other, kernelTarget())).toThrow(/machines are \d+ and \d+, wanted 62/);
    }
  });
});
