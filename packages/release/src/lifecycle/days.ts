/** Days in UTC, written YYYY-MM-DD: what lifecycle data counts in. */

/** Seconds since 1970 at a day's beginning; null for what is no day, such as 2027-02-30. */
export function secondsOfDay(day: string): number | null {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  // Some engines take 2027-02-30 for 2027-03-02.
  return Number.isNaN(ms) || dayOfSeconds(ms / 1000) !== day ? null : ms / 1000;
}

/** The day that a moment belongs to. */
export function dayOfSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** The same day of the month so many months later, or that month's last day where it has none such. */
export function addMonths(day: string, months: number): string {
  const [year = 0, month = 0, date = 0] = day.split("-").map(Number);
  const lastDate = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return dayOfSeconds(Date.UTC(year, month - 1 + months, Math.min(date, lastDate)) / 1000);
}
