/** What a difference engine must handle, points 7 and 13: names that move between units, which see only their own side. */
import { describe, expect, test } from "vitest";
import { deltaOf, kernelTarget, patchedOf, referencesOf, replacedBy } from "../test/compile.ts";
import type { LinkTarget } from "./mod.ts";

const user = (n: number): string => `int user(int x) { return value(x + ${n}); }\n`;

/** A kernel in which another unit defines this name for all. */
const having = (other: string): LinkTarget =>
  kernelTarget({
    locate: ({ name, local }) =>
      name === "user" || (name === other && !local)
        ? { kind: "found", sympos: 0 }
        : { kind: "missing", why: "so the test says" },
  });

const refusals = [
  {
    what: "a new function that another unit had",
    before: user(1),
    after: `int helper(int x) { return value(x) * 3; }\nint user(int x) { return value(x + 1); }`,
    subject: "helper",
    target: having("helper"),
  },
  {
    what: "a new variable that another unit had",
    before: user(1),
    after: `int total = 5;\nint user(int x) { return value(x + total++); }`,
    subject: "total",
    target: having("total"),
  },
  {
    what: "a new weak function, where another unit has a better one",
    before: user(1),
    after: `__attribute__((weak)) int hook(int x) { return x; }\n${user(1)}`,
    subject: "hook",
    target: having("hook"),
  },
  {
    what: "a new alias of a name that the kernel has",
    before: user(1),
    after: `${user(1)}int helper(int) __attribute__((alias("user")));`,
    subject: "helper",
    target: having("helper"),
  },
  {
    what: "a new label of assembly that the kernel has",
    before: user(1),
    after: `${user(1)}asm(".pushsection .text.label,\\"ax\\"\\n.globl helper\\nhelper: ret\\n.popsection");`,
    subject: "helper",
    target: having("helper"),
  },
  {
    what: "a function that is another unit's now",
    before: `noinline int helper(int x) { return value(x) * 3; }\nint f(int x) { return helper(x); }`,
    after: `extern int helper(int);\nint f(int x) { return helper(x); }`,
    subject: "helper",
  },
  {
    what: "a definition that made way for a weak one",
    before: `noinline int hook(int x) { return value(x) * 3; }\nint f(int x) { return value(hook(x)); }`,
    after: `extern int hook(int) __attribute__((weak));\nint f(int x) { return value(hook(x)); }`,
    subject: "hook",
  },
  {
    what: "a variable that is another unit's now",
    before: `int total = 5;\nint f(int x) { total += x; return value(total); }`,
    after: `extern int total;\nint f(int x) { total += x; return value(total); }`,
    subject: "total",
  },
  {
    what: "a static variable that is another unit's now",
    before: `static int total = 5;\nint f(int x) { total += x; return value(total); }`,
    after: `extern int total;\nint f(int x) { total += x; return value(total); }`,
    subject: "total",
  },
  {
    what: "a static function that takes its variable to another unit",
    before: `static noinline int helper(int x) { static int calls; return value(x + calls++); }\nint f(int x) { return helper(x) + 1; }`,
    after: `extern int helper(int);\nint f(int x) { return helper(x) + 1; }`,
    subject: "helper",
  },
];

describe("movedSymbols() between sections", () => {
  test.each([".kprobes.text", ".noinstr.text", ".irqentry.text", ".entry.text"])(
    "a function that is in %s now is refused, whether or not it changed",
    (section) => {
      const reason = { code: "moved-symbol", subject: "user" };
      for (const n of [1, 2]) {
        const verdict = deltaOf(user(1), `section("${section}") ${user(n)}`);
        expect(verdict).toMatchObject({ kind: "refused", reasons: [reason] });
      }
    },
  );

  test("a function in which a processor idles is refused where it has no traced entry any more", () => {
    const idle = (marks: string): string => `section(".cpuidle.text") ${marks} ${user(1)}`;
    const reason = { code: "moved-symbol", subject: "user" };
    expect(deltaOf(user(1), idle("notrace"))).toMatchObject({ kind: "refused", reasons: [reason] });
    expect(deltaOf(user(1), idle(""))).toEqual({ kind: "unchanged" });
  });

  test("a function that is likelier or less likely now is no other", () => {
    expect(deltaOf(user(1), `section(".text.unlikely.user") ${user(1)}`)).toEqual({ kind: "unchanged" });
    expect(replacedBy(patchedOf(user(1), `section(".sched.text") ${user(2)}`))).toEqual(["user"]);
  });
});

describe("movedSymbols() between units", () => {
  test.each(refusals)("$what is refused", ({ before, after, subject, target }) => {
    const verdict = deltaOf(before, after, target ?? kernelTarget());
    expect(verdict).toMatchObject({ kind: "refused", reasons: [{ code: "moved-symbol", subject }] });
    expect(deltaOf(before, before, target ?? kernelTarget())).toEqual({ kind: "unchanged" });
  });

  test("a new name that is static, or that the kernel has not, is carried", () => {
    const adds = (binding: string): string =>
      `${binding} noinline int helper(int x) { return value(x) * 3; }\nint user(int x) { return helper(x); }`;
    expect(patchedOf(user(1), adds("static"), having("helper")).added).toEqual(["helper"]);
    expect(patchedOf(user(1), adds("")).added).toEqual(["helper"]);
  });

  test("a static function that goes to another unit is called there", () => {
    const verdict = patchedOf(
      `static noinline int helper(int x) { return value(x) * 3; }\nint f(int x) { return helper(x) + 1; }`,
      `extern int helper(int);\nint f(int x) { return helper(x) + 1; }`,
    );
    expect(replacedBy(verdict)).toEqual(["f"]);
    expect(referencesOf(verdict, ".text.f")).toContain("original helper");
  });

  test("a weak function that gave way already may go", () => {
    const why = "another unit's took its place";
    const target = kernelTarget({
      locate: ({ name }) => (name === "hook" ? { kind: "overridden", why } : { kind: "found", sympos: 0 }),
    });
    const before = `__attribute__((weak)) int hook(int x) { return value(x); }\nint f(int x) { return hook(x) + 1; }`;
    const after = `extern int hook(int);\nint f(int x) { return hook(x) + 2; }`;
    expect(replacedBy(patchedOf(before, after, target))).toEqual(["f"]);
  });
});
