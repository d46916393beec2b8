/** What a difference engine must handle, point 10: addresses of functions, on kernels that track indirect branches (IBT). */
import { describe, expect, test } from "vitest";
import { codeOf, deltaOf, kernelTarget, patchedOf, referencesOf, replacedBy } from "../test/compile.ts";
import type { LinkTarget } from "./mod.ts";

const ibt = ["-fcf-protection=branch"];
const target = (isSealed: boolean | undefined): LinkTarget =>
  kernelTarget({ isSealed: ({ name }) => (name === "helper" ? isSealed : false) });

const linkages = [
  { what: "another unit's", helper: "extern int helper(int);" },
  { what: "the unit's own", helper: "noinline int helper(int x) { return value(x) * 3; }" },
];
const uses = [
  { what: "code hands on", use: "hand(helper)", more: "" },
  { what: "a new table holds", use: "ops[x & 1](x)", more: "int (*const ops[])(int) = { helper, value };" },
];
const pairs = linkages.flatMap((linkage) =>
  uses.map(({ what, use, more }) => ({ ...linkage, whose: linkage.what, what, use, more })),
);

const source = (helper: string, use: string, more = ""): string =>
  `${helper}\nextern int hand(int (*)(int));\n${more}\nint user(int x) { return ${use}; }`;

describe("sealedAddresses()", () => {
  test.each(pairs)("$whose function whose address $what", ({ helper, use, more }) => {
    const [before, after] = [source(helper, "helper(x)"), source(helper, use, more)];
    const reason = { code: "sealed-function", subject: "helper" };
    const refused = { kind: "refused", reasons: [reason] };
    expect(deltaOf(before, after, target(true), ibt)).toMatchObject(refused);
    expect(deltaOf(before, after, target(false), ibt)).toMatchObject({ kind: "patched" });
    // Where nothing tells it may be so, unless the unit took the address before.
    expect(deltaOf(before, after, target(undefined), ibt)).toMatchObject(refused);
    const taken = `int (*taken)(int) = helper;`;
    const [takenBefore, takenAfter] = [source(helper, "helper(x)", taken), source(helper, use, more + taken)];
    expect(deltaOf(takenBefore, takenAfter, target(undefined), ibt)).toMatchObject({ kind: "patched" });
    expect(deltaOf(before, after, target(undefined))).toMatchObject({ kind: "patched" });
  });

  test("a call of such a function is none of its address", () => {
    const calling = (n: number): string => source("extern int helper(int);", `helper(x + ${n})`);
    expect(replacedBy(patchedOf(calling(1), calling(2), target(true), ibt))).toEqual(["user"]);
  });

  test("a static function that was only called comes along, and its own address is taken", () => {
    const helper = "static noinline int helper(int x) { return value(x) * 3; }";
    const verdict = patchedOf(source(helper, "helper(x)"), source(helper, "hand(helper)"), target(true), ibt);
    expect(codeOf(verdict)).toEqual([".text.helper", ".text.user"]);
    expect(referencesOf(verdict, ".text.user")).not.toContain("original helper");
  });
});
