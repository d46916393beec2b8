/** When support ends, as the report says it. */
import type { SupportEnd } from "@kgraft/contract";

/**
 * The number by which zypper's plugin sorts and saves an end: seconds since 1970 for a day, and numbers beyond every day
 * for what has none.
 */
export function rankOf(end: SupportEnd): number {
  switch (end) {
    case "now":
      return 0;
    case "unknown":
      return 1_000_000_000_000_000;
    case "never":
      return 1_000_000_000_000_001;
    default:
      return secondsOfDay(end) ?? 0;
  }
}

/** Seconds since 1970 at a day's beginning in UTC; null for what is no day, such as 2027-02-30. */
export function secondsOfDay(day: string): number | null {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  // QuickJS takes 2027-02-30 for 2027-03-02.
  return Number.isNaN(ms) || dayOfSeconds(ms / 1000) !== day ? null : ms / 1000;
}

/** The day that a moment belongs to, in UTC. */
export function dayOfSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
