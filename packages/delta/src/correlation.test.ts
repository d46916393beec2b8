/**
 * What a difference engine must handle, points 7 to 9: which symbol continues which, what counts as changed, and lines
 * that move.
 */
import { describe, expect, test } from "vitest";
import { compile, deltaOf, kernelTarget, patchedOf, referencesOf, replacedBy } from "../test/compile.ts";

const keep = "extern void keep(const void *);";
const user = (body: string, n: number): string => `int user(int x) { ${body} return value(x + ${n}); }`;

/** What comes before it makes gcc count anew: the numbers of all that follows move. */
const shift = `int shifter(int x) {
  static int calls; static const char __func__1[] = "s"; keep(__func__1); keep(__func__);
  switch (x) { case 0: return 9; case 1: return 4; case 2: return 6; case 3: return 1; case 4: return 8; }
  return calls++; }`;

describe("computeDelta() point 7, names without identity", () => {
  const numbered = (name: string, type: string, section = ""): readonly [string, string] => [
    name,
    `static ${type} ${name} ${section}; keep(&${name});`,
  ];
  const nameless: readonly (readonly [title: string, body: string])[] = [
    ["__func__.N", "keep(__func__);"],
    ["__FUNCTION__.N", "keep(__FUNCTION__);"],
    [
      "CSWTCH.N",
      "switch (x) { case 0: return 7; case 1: return 3; case 2: return 8; case 3: return 5; case 4: return 9; }",
    ],
    ["strings (.LC)", 'printk("a text");'],
    ["__msg.N", 'static const char __msg[] = "bad device"; keep(__msg);'],
    numbered("__key", "struct {}"),
    numbered("__warned", "_Bool", 'section(".data.once")'),
    numbered("__warned", "_Bool", 'section(".data..unlikely")'),
    numbered("__already_done", "_Bool", 'section(".data..once")'),
    numbered("_rs", "struct { long of[5]; }"),
    numbered("__print_once", "_Bool"),
    [
      "__UNIQUE_ID_ddebugN",
      'static long __UNIQUE_ID_ddebug12 section("__dyndbg") = 5; keep(&__UNIQUE_ID_ddebug12);',
    ],
    [
      "___tp_str.N",
      'static const char *___tp_str used section("__tracepoint_str") = "text"; keep(&___tp_str);',
    ],
    ["descriptor.N", 'static long descriptor section("__dyndbg") = 5; keep(&descriptor);'],
  ];

  test.each(nameless)(
    "%s: the same in another place is no change, and comes along with one",
    (title, body) => {
      const moved = body.replaceAll("ddebug12", "ddebug77");
      expect(deltaOf(keep + user(body, 1), keep + user(moved, 1))).toEqual({ kind: "unchanged" });
      const verdict = patchedOf(keep + user(body, 1), keep + shift + user(moved, 2));
      expect(replacedBy(verdict)).toEqual(["user"]);
      // A copy, never a name to be looked for in the running kernel.
      const bare = title.replace(/\.N$|N$/, "");
      expect([...verdict.livepatchReferences.values()].filter(({ name }) => name.includes(bare))).toEqual([]);
    },
  );

  test.each([
    ["__key", "int", ""],
    ["__warned", "_Bool", ""],
    ["__already_done", "int", 'section(".data..read_mostly")'],
    ["__print_once", "int", ""],
    ["_rs", "long", ""],
  ])("%s: an author's own static local of that name keeps its value", (name, type, section) => {
    const source = (more: string, n: number): string =>
      `${more}\nint user(int x) { static ${type} ${name} ${section}; ${name} += x; return value(${name} + ${n}); }`;
    const verdict = patchedOf(source("", 1), source(keep + shift, 2));
    expect(referencesOf(verdict, ".text.user")).toContainEqual(
      expect.stringMatching(`^original ${name}\\.\\d+$`),
    );
    const ambiguous = deltaOf(
      source("", 1),
      `static ${type} ${name};\n${source("", 1)}`.replace(`static ${type} ${name} ${section};`, ""),
    );
    expect(ambiguous).toMatchObject({
      kind: "refused",
      reasons: [{ code: "ambiguous-static", subject: name }],
    });
  });

  test("__key, _rs: without the kernel's types what may be an author's own keeps its value", () => {
    const source = (n: number): string =>
      `${keep}\nint user(int x) { static struct { long of[5]; } _rs; keep(&_rs); return value(x + ${n}); }`;
    const verdict = patchedOf(source(1), source(2), kernelTarget({ typeSizes: new Map() }));
    expect(referencesOf(verdict, ".text.user")).toContainEqual(expect.stringMatching(/^original _rs\.\d+$/));
  });

  test("ubsan's data: bound to its place in the code", () => {
    const source = (n: number): string => `int user(int x, int y) { return value(x << y) + value(${n}); }`;
    const target = kernelTarget();
    const options = ["-fsanitize=shift"];
    expect(deltaOf(source(1), `extern int more;\n#line 1\n${source(1)}`, target, options)).toEqual({
      kind: "unchanged",
    });
    const verdict = patchedOf(source(1), source(2), target, options);
    expect(replacedBy(verdict)).toEqual(["user"]);
    expect(verdict.object.sections.some(({ name }) => name.startsWith(".data"))).toBe(true);
  });

  test("static locals: correlated by the functions that refer to them", () => {
    const source = (more: string, n: number): string => `
      ${more}
      int count(int x) { static int calls = 5; calls += x; return value(calls + ${n}); }`;
    const verdict = patchedOf(
      source("", 1),
      source("int more(int x) { static int calls = 5; calls -= x; return value(calls); }", 2),
    );
    expect(replacedBy(verdict)).toEqual(["count"]);
    expect(referencesOf(verdict, ".text.count")).toContainEqual(
      expect.stringMatching(/^original calls\.\d+$/),
    );
    expect(verdict.object.sections.filter(({ name }) => name.startsWith(".data.calls"))).toHaveLength(1);
  });

  /** Each function is what the one before it was, or has the static local. */
  const owners = (owner: "f" | "g" | "none", more = "", call = "g(x)"): string => `
    ${owner === "g" ? "" : more}
    noinline int g(int x) { ${owner === "g" ? "static int calls = 5; x += calls++;" : ""} return value(x * 2); }
    noinline int f(int x) { ${owner === "f" ? "static int calls = 5; x += calls++;" : ""} return value(x * 3); }
    int user(int x) { return f(x) + ${call}; }`;

  test("static locals: that of one function is not another's, where the one has none any more", () => {
    expect(deltaOf(owners("f"), owners("g"))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "ambiguous-static" }],
    });
    const fresh = "int h(int x) { static int calls = 5; return value(x + calls++); }";
    expect(deltaOf(owners("f"), owners("none", fresh))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "ambiguous-static" }],
    });
  });

  const count = "static int calls = 5; return value(x + calls++);";
  test.each([
    [
      "into a function that the former user calls",
      `int f(int x) { ${count} }`,
      `static noinline int count(int x) { ${count} }\nint f(int x) { value(x); return count(x); }`,
    ],
    [
      "out of a function that the user called",
      `static noinline int count(int x) { ${count} }\nint f(int x) { value(x); return count(x); }`,
      `int f(int x) { value(x); ${count} }`,
    ],
    [
      "into a function of another name",
      `static noinline int count(int x) { ${count} }\nint f(int x) { return count(x) + 1; }`,
      `static noinline int renamed(int x) { ${count} }\nint f(int x) { return renamed(x) + 1; }`,
    ],
  ])("static locals: with the code that moves %s", (_, before, after) => {
    const verdict = patchedOf(before, after);
    const all = verdict.object.sections.flatMap(({ name }) => referencesOf(verdict, name));
    expect(all).toContainEqual(expect.stringMatching(/^original calls\.\d+$/));
  });

  test("static locals' constants: carried where they changed, found where they did not", () => {
    const source = (last: number, n: number): string => `
      int pick(int i) { static const int table[] = { 3, 1, 4, ${last} }; return value(table[i] + ${n}); }`;
    expect(referencesOf(patchedOf(source(1, 1), source(1, 2)), ".text.pick")).toContainEqual(
      expect.stringMatching(/^original table\.\d+$/),
    );
    const changed = patchedOf(source(1, 1), source(5, 1));
    expect(replacedBy(changed)).toEqual(["pick"]);
    expect(changed.object.sections.some(({ name }) => name.startsWith(".rodata.table"))).toBe(true);
  });

  test("nameless tables: known by the table that leads to them", () => {
    const source = (n: number): string => `
      struct route { int to; int *from; };
      struct route routes[] = { { 1, (int[]){ 1, 2, 0 } }, { 2, (int[]){ 3, 0 } } };
      int get(int i) { return value(routes[i].from[0] + ${n}); }`;
    expect(deltaOf(source(1), source(1)).kind).toBe("unchanged");
    expect(replacedBy(patchedOf(source(1), source(2)))).toEqual(["get"]);
  });

  test("an alias that is new does not make its function new", () => {
    const source = (n: number, alias: string): string => `
      static used int f(int x) { return value(x + ${n}); }
      ${alias}`;
    const alias = 'int g(int) __attribute__((alias("f")));';
    expect(deltaOf(source(1, ""), source(1, alias))).toEqual({ kind: "unchanged" });
    const verdict = patchedOf(source(1, ""), source(2, alias));
    expect([replacedBy(verdict), verdict.added]).toEqual([["f"], []]);
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

  const inOrder = (first: string, second: string, n = 1): string => `
    static inline int a(int x) { static int cnt; cnt += x; return value(cnt); }
    static inline int b(int x) { static int cnt; cnt -= x; return value(cnt) * 3; }
    int f(int x) { int y = ${first}; return y + ${second} + ${n}; }`;

  test("never takes them by their order in a function that changed", () => {
    expect(deltaOf(inOrder("a(x)", "b(x)"), inOrder("b(x)", "a(x)"))).toMatchObject({
      kind: "refused",
      reasons: expect.arrayContaining([expect.objectContaining({ code: "ambiguous-static" })]),
    });
  });

  test("takes them by their order in a function that is as it was, whatever their numbers", () => {
    const source = (more: string, n: number): string =>
      `${inOrder("a(x)", "b(x)")}\nint g(int x) { static int num = 4; ${more} return value(num++ + ${n}); }`;
    const verdict = patchedOf(source("", 1), source("static int other = 5; other++;", 2));
    expect(replacedBy(verdict)).toEqual(["g"]);
  });

  test("tells them apart by size and contents in a function that changed", () => {
    const source = (first: string, second: string): string => `
      static inline int a(int x) { static long cnt; cnt += x; return value(cnt); }
      static inline int b(int x) { static int cnt; cnt -= x; return value(cnt); }
      static inline int c(int x) { static int cnt = 7; cnt ^= x; return value(cnt); }
      int f(int x) { int y = ${first}; return y + ${second} + c(x); }`;
    const verdict = patchedOf(source("a(x)", "b(x)"), source("2 * b(x)", "a(x)"));
    const shipped = compile(source("a(x)", "b(x)")).symbols;
    const used = new Set(referencesOf(verdict, ".text.f").filter((name) => name.startsWith("original cnt.")));
    const sections = [...used].map((name) => {
      const symbol = shipped.find((one) => `original ${one.name}` === name);
      return (
        symbol?.place.kind === "section" && `${symbol.place.section.name.slice(0, 5)} ${symbol.sizeBytes}`
      );
    });
    // In the order in which f comes to them now, by what they are in the running kernel.
    expect(sections).toEqual([".bss. 4", ".bss. 8", ".data 4"]);
  });

  test("tells them apart where all users agree", () => {
    const verdict = patchedOf(before, users("a(x)", "b(x)", "a(x) * 9"));
    expect(replacedBy(verdict)).toEqual(["h"]);
  });
});

describe("computeDelta() point 8, comparison", () => {
  test("bytes with relocated fields masked: nothing changed where only distances did", () => {
    expect(deltaOf(user("", 1), `${user("", 1)}\nint late(int x) { return x; }`)).toMatchObject({
      kind: "patched",
      functions: [],
      added: ["late"],
    });
  });

  test.each([
    ["another function", "value(x)", "printk(0)"],
    ["another static function", "a(x)", "b(x)"],
    ["another variable", "one", "two"],
    ["another place in a variable", "list[1]", "list[2]"],
    ["another string", 'printk("one")', 'printk("two")'],
    ["another constant", "5", "6"],
  ])("what a relocation reaches: %s", (_, was, is) => {
    const source = (what: string): string => `
      static noinline int a(int x) { return value(x) + value(3); }
      static noinline int b(int x) { return value(x) + value(4); }
      int one = 1, two = 1, list[4] = { 1, 2, 3, 4 };
      void set(int x) { one = x; two = x; list[x] = a(x) + b(x); }
      int user(int x) { return value(x) + ${what}; }`;
    expect(replacedBy(patchedOf(source(was), source(is)))).toEqual(["user"]);
  });

  test("strings by their text, wherever they lie", () => {
    const source = (more: string): string => `${more}
      int speak(int x) { return printk("one %d\\n", x); }`;
    const shifted = `int other(int x) { return printk("zero %d\\n", x); }`;
    const verdict = patchedOf(source(""), `${shifted}${source("")}`);
    expect([replacedBy(verdict), verdict.added]).toEqual([[], ["other"]]);
    expect(replacedBy(patchedOf(source(""), source("").replace("one", "two")))).toEqual(["speak"]);
  });

  test("functions that call each other in a circle", () => {
    const source = (n: number): string => `
      int odd(int x); 
      noinline int even(int x) { return x == 0 ? value(${n}) : odd(x - 1) + 1; }
      noinline int odd(int x) { return x == 0 ? value(2) : even(x - 1) + 1; }`;
    expect(deltaOf(source(1), source(1))).toEqual({ kind: "unchanged" });
    expect(replacedBy(patchedOf(source(1), source(5)))).toEqual(["even"]);
  });
});

describe("computeDelta() point 9, lines that move", () => {
  const source = (more: string, line: number): string => `
    ${more}
    #line ${line}
    int user(int x) { if (x == 3) printk("%d", __LINE__); return value(x); }`;

  test("a line number that is kept makes nothing changed, one that drifts does", () => {
    expect(deltaOf(source("", 10), source("extern int more;\n", 10))).toEqual({ kind: "unchanged" });
    expect(replacedBy(patchedOf(source("", 10), source("", 11)))).toEqual(["user"]);
  });
});
