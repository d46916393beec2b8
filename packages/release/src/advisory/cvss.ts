/** Scores of CVSS vectors, computed anew: a manifest's author may have mistyped one. */
import calculators from "ae-cvss-calculator";
import type { ManifestFix, Severity } from "@kgraft/contract";

// A module of the older kind: all its names stand in one value.
const { Cvss3P0, Cvss3P1, Cvss4P0 } = calculators;

/** The score that a vector gives, from 0 to 10; undefined where it is no whole vector. */
export function cvssScore(vector: string): number | undefined {
  try {
    const score = calculator(vector)?.calculateScores().overall;
    return score === undefined || Number.isNaN(score) ? undefined : score;
  } catch {
    return undefined;
  }
}

function calculator(vector: string): { calculateScores: () => { overall: number | undefined } } | undefined {
  if (vector.startsWith("CVSS:4.0/")) {
    const cvss = new Cvss4P0(vector);
    return cvss.isBaseFullyDefined() ? cvss : undefined;
  }
  const cvss = vector.startsWith("CVSS:3.0/") ? new Cvss3P0(vector) : new Cvss3P1(vector);
  return cvss.isBaseFullyDefined() ? cvss : undefined;
}

/** The score of the most severe of some fixes; undefined where none has one. */
export function highestScore(fixes: readonly ManifestFix[]): number | undefined {
  const scores = fixes.flatMap(({ cvss }) => (cvss === undefined ? [] : [cvss.score]));
  return scores.length === 0 ? undefined : Math.max(...scores);
}

/** The qualitative rating of CVSS (specification 3.1, section 5), in SUSE's words. */
export function severityOf(score: number | undefined): Severity {
  if (score === undefined) return "unspecified";
  if (score >= 9) return "critical";
  if (score >= 7) return "important";
  return score >= 4 ? "moderate" : "low";
}
