import { expect, test } from "vitest";
import type { FixVerdict, PlannedFix } from "./fixes.ts";
import { repairedBy } from "./repaired.ts";

function fix(title: string, verdict: FixVerdict, cves: readonly string[] = [], version = "2-1"): PlannedFix {
  return { title, cves, version, files: [], verdict };
}

test("repairedBy() names each CVE of a fix, and other fixes by their place in the changelog", () => {
  expect(
    repairedBy([
      fix("one", "carried"),
      fix("not ours", "not-compiled"),
      fix("two", "carried", ["CVE-2026-1111", "CVE-2026-2222"]),
      fix("three", "carried"),
      fix("older", "carried", [], "1-1"),
    ]),
  ).toEqual([
    { id: "2-1#1", title: "one" },
    { id: "CVE-2026-1111", title: "two" },
    { id: "CVE-2026-2222", title: "two" },
    { id: "2-1#4", title: "three" },
    { id: "1-1#1", title: "older" },
  ]);
});

test.each<FixVerdict>(["needs-author", "unassigned"])(
  "repairedBy() does not name a CVE of which another part is %s",
  (verdict) => {
    const parts = [fix("a", "carried", ["CVE-2026-1111"]), fix("b", verdict, ["CVE-2026-1111"])];
    expect(repairedBy(parts)).toEqual([]);
  },
);

test("repairedBy() names a CVE once whose parts are all carried, or are not in this kernel", () => {
  const parts = [
    fix("a", "carried", ["CVE-2026-1111"]),
    fix("b", "carried", ["CVE-2026-1111"]),
    fix("c", "not-compiled", ["CVE-2026-1111"]),
  ];
  expect(repairedBy(parts)).toEqual([{ id: "CVE-2026-1111", title: "a" }]);
});
