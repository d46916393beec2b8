import { expect, test } from "vitest";
import { type ChangelogEntry, debChangelog, parseChangelog, rpmChangelog } from "./changelog.ts";

const long =
  "6.12.118-1#8: * fsverity: Tell LSMs about signature only after verity is enabled, and some more of that";
const entries: readonly ChangelogEntry[] = [
  {
    version: "2-1",
    changes: ["CVE-2026-0002: short", long, "bsc#1234"],
    maintainer: "Example <a@example.org>",
    dateSeconds: 1_735_776_000,
    isSecurity: true,
  },
];

test("debChangelog() has lines of 80 columns at most, and parseChangelog() puts them together again", () => {
  const text = debChangelog("kgraft-patch", entries);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(text).toContain("\n  * CVE-2026-0002: short\n  * 6.12.118-1#8: * fsverity: ");
  expect(parseChangelog(text, "kgraft-patch")).toEqual(entries);
});

test("rpmChangelog() has one line for each change", () => {
  expect(rpmChangelog(entries).split("\n").slice(1, 4)).toEqual([
    "- CVE-2026-0002: short",
    `- ${long}`,
    "- bsc#1234",
  ]);
});
