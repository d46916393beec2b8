/** Changed functions that cannot be redirected, carried by their callers; what changes around functions. */
import { describe, expect, test } from "vitest";
import { codeOf, deltaOf, kernelTarget, patchedOf, referencesOf } from "../test/compile.ts";

const untraced = (change: number, rest: string): string => `
static noinline notrace int quiet(int x) { return value(x + ${change}) + value(x * 3); }
${rest}`;

describe("computeDelta() of a changed function without a traced entry", () => {
  test("replaces its callers, which call the copy that comes along", () => {
    const callers = "int one(int x) { return quiet(x) + 1; }\nint two(int x) { return value(x); }";
    const verdict = patchedOf(untraced(1, callers), untraced(2, callers));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["one"]);
    expect(codeOf(verdict).toSorted()).toEqual([".text.one", ".text.quiet"]);
    expect(referencesOf(verdict, ".text.one")).toContain(".text.quiet");
    expect([...verdict.livepatchReferences.values()].map(({ name }) => name)).not.toContain(".text.quiet");
  });

  test("replaces a caller that changed itself once", () => {
    const callers = (n: number): string => `int one(int x) { return quiet(x) + ${n}; }`;
    const verdict = patchedOf(untraced(1, callers(1)), untraced(2, callers(2)));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["one"]);
  });

  test("refuses where its address was taken before, and somebody may hold it still", () => {
    const before = "extern void keep(int (*)(int)); int one(int x) { keep(quiet); return quiet(x); }";
    const after = before.replace("keep(quiet); ", "");
    expect(deltaOf(untraced(1, before), untraced(2, after))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "no-traced-entry", subject: "quiet" }],
    });
  });

  test("goes on to the callers of a caller that cannot be redirected either", () => {
    const callers = `
      static noinline notrace int between(int x) { return quiet(x) * 5; }
      int outer(int x) { return between(x) + 1; }`;
    const verdict = patchedOf(untraced(1, callers), untraced(2, callers));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["outer"]);
    expect(codeOf(verdict).toSorted()).toEqual([".text.between", ".text.outer", ".text.quiet"]);
  });

  test("leaves callers of the boot, which have run", () => {
    const callers = `
      section(".init.text") int setup(int x) { return quiet(x); }
      int one(int x) { return quiet(x) + 1; }`;
    const verdict = patchedOf(untraced(1, callers), untraced(2, callers));
    expect(verdict.functions.map(({ name }) => name)).toEqual(["one"]);
  });

  test.each<[title: string, callers: string]>([
    ["others may call it by its address", "int (*pointer)(int) = quiet;"],
    ["its caller hands its address on", "extern void keep(int (*)(int)); void one(void) { keep(quiet); }"],
    ["nothing calls it", "void *kept used = 0; static int also(int x) { return x; }"],
  ])("refuses where %s", (_, callers) => {
    const source = (change: number): string =>
      untraced(change, callers).replace("static noinline", "static used noinline");
    expect(deltaOf(source(1), source(2))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "no-traced-entry", subject: "quiet" }],
    });
  });

  test("refuses one that other units may call", () => {
    const source = (change: number): string => untraced(change, "").replace("static ", "");
    expect(deltaOf(source(1), source(2))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "no-traced-entry", subject: "quiet" }],
    });
  });
});

describe("computeDelta() of a kernel thread's loop", () => {
  const thread = (change: number): string => `
    extern int kthread_should_stop(void);
    int other(int x) { return value(x + ${change}); }
    int loop(void *data) { while (!kthread_should_stop()) value(${change}); return 0; }`;

  test("warns that a transition waits for the thread's end", () => {
    const { functions, warnings } = patchedOf(thread(1), thread(2));
    expect(functions.map(({ name }) => name)).toEqual(["other", "loop"]);
    expect(warnings).toEqual([expect.objectContaining({ code: "thread-function", subject: "loop" })]);
  });
});

describe("computeDelta() of changes that nothing running depends on", () => {
  const user = (n: number): string => `int user(int x) { return value(x + ${n}); }\n`;
  const about = (text: string): string =>
    `used section(".modinfo") static const char author[] = "author=${text}";\n`;

  test("leaves out what modinfo says, with a warning", () => {
    expect(deltaOf(user(1) + about("A"), user(1) + about("B"))).toEqual({ kind: "unchanged" });
    const verdict = patchedOf(user(1) + about("A"), user(2) + about("Bee"));
    expect(verdict.warnings).toEqual([expect.objectContaining({ code: "left-out", subject: ".modinfo" })]);
  });

  test("leaves out exports, with a warning", () => {
    const exported = `used section("___ksymtab_gpl+user") static const char *entry = "user";\n`;
    const verdict = patchedOf(user(1), user(2) + exported);
    expect(verdict.functions.map(({ name }) => name)).toEqual(["user"]);
    expect(verdict.warnings).toEqual([
      expect.objectContaining({ code: "left-out", subject: "___ksymtab_gpl+user" }),
    ]);
  });

  test("leaves out code for the removal of what is built in, and refuses it in a module", () => {
    const source = (n: number): string =>
      `${user(1)}used section(".exit.text") static notrace int leave(int x) { return value(x + ${n}); }`;
    expect(deltaOf(source(1), source(2))).toEqual({ kind: "unchanged" });
    expect(deltaOf(source(1), source(2), kernelTarget({ object: "loop" }))).toMatchObject({
      reasons: [{ code: "no-traced-entry", subject: "leave" }],
    });
  });
});
