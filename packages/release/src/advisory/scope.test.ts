import type { ManifestFix } from "@kgraft/contract";
import { describe, expect, test } from "vitest";
import { cvssScore, severityOf } from "./cvss.ts";
import { scopeOf } from "./scope.ts";

// Scores as the National Vulnerability Database has them for these vectors.
const high = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";
const medium = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H";

test.each([
  [high, 7.8],
  [medium, 5.5],
  ["CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8],
  ["CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 8.5],
  ["CVSS:3.1/AV:L", undefined],
  ["nonsense", undefined],
])("cvssScore() %s", (vector, score) => expect(cvssScore(vector)).toBe(score));

test.each([
  [undefined, "unspecified"],
  [0, "low"],
  [4, "moderate"],
  [6.9, "moderate"],
  [7, "important"],
  [9, "critical"],
] as const)("severityOf() %s", (score, severity) => expect(severityOf(score)).toBe(severity));

const fix = (more: Partial<ManifestFix>): ManifestFix => ({ id: "CVE-2026-1", title: "t", ...more });
const cases: readonly (readonly [string, ManifestFix, boolean, RegExp])[] = [
  ["a high score", fix({ cvss: { vector: high, score: 7.8 } }), true, /^CVSS 7\.8 is at least 7\.0$/],
  ["a low score", fix({ cvss: { vector: medium, score: 5.5 } }), false, /^CVSS 5\.5 is under 7\.0$/],
  [
    "a low score about stability",
    fix({ cvss: { vector: medium, score: 5.5 }, impact: "stability" }),
    true,
    /stability/,
  ],
  ["no score, about data", fix({ impact: "data-corruption" }), true, /data corruption/],
  ["nothing said", fix({}), false, /no CVSS vector/],
  [
    "a score that its vector does not give",
    fix({ cvss: { vector: medium, score: 7.8 } }),
    false,
    /gives CVSS 5\.5, though 7\.8 is said; is under/,
  ],
  [
    "a vector that is none",
    fix({ cvss: { vector: "CVSS:3.1/AV:L", score: 7.8 } }),
    false,
    /its CVSS vector is none/,
  ],
];

describe("scopeOf()", () => {
  test.each(cases)("%s", (_, one, inScope, reason) => {
    expect(scopeOf([one])).toEqual([
      { id: "CVE-2026-1", title: "t", inScope, reason: expect.stringMatching(reason) },
    ]);
  });

  test("the threshold is policy", () => {
    const one = fix({ cvss: { vector: high, score: 7.8 } });
    expect(scopeOf([one], { threshold: 8 })[0]).toMatchObject({ inScope: false });
  });
});
