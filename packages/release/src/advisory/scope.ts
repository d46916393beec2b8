/**
 * Whether a fix is one that live patches are made for. The rule is that of SUSE Linux Enterprise Live Patching:
 * vulnerabilities of CVSS score 7 and above, and faults of stability and data corruption. What is less waits for the
 * next kernel and its reboot, because each function that is replaced is a risk of its own.
 */
import type { ManifestFix } from "@kgraft/contract";
import { cvssScore } from "./cvss.ts";

export interface ScopePolicy {
  /** The lowest score in scope. */
  readonly threshold: number;
}

export const defaultScopePolicy: ScopePolicy = { threshold: 7 };

export interface FixScope {
  readonly id: string;
  readonly title: string;
  readonly inScope: boolean;
  /** Why, in words. */
  readonly reason: string;
}

/** Each fix with its verdict. */
export function scopeOf(
  fixes: readonly ManifestFix[],
  { threshold }: ScopePolicy = defaultScopePolicy,
): readonly FixScope[] {
  return fixes.map((fix) => ({ id: fix.id, title: fix.title, ...judge(fix, threshold) }));
}

function judge({ cvss, impact }: ManifestFix, threshold: number): { inScope: boolean; reason: string } {
  if (impact !== undefined) {
    return {
      inScope: true,
      reason: impact === "stability" ? "it is about stability" : "it is about data corruption",
    };
  }
  if (cvss === undefined) {
    return {
      inScope: false,
      reason: "it has no CVSS vector, and is not said to be about stability or data corruption",
    };
  }
  const score = cvssScore(cvss.vector);
  if (score === undefined) return { inScope: false, reason: `its CVSS vector is none: ${cvss.vector}` };
  if (score !== cvss.score) {
    return {
      inScope: score >= threshold,
      reason: `its vector gives CVSS ${score.toFixed(1)}, though ${cvss.score.toFixed(1)} is said; ${compared(score, threshold)}`,
    };
  }
  return { inScope: score >= threshold, reason: `CVSS ${score.toFixed(1)} ${compared(score, threshold)}` };
}

function compared(score: number, threshold: number): string {
  return `is ${score >= threshold ? "at least" : "under"} ${threshold.toFixed(1)}`;
}
