/** The line that shows one running stage: as much of what is known as the terminal's width has room for. */
import { cut, formatBytes, formatMs } from "./format.ts";

export interface StageState {
  readonly title: string;
  readonly elapsedMs: number;
  readonly unit: "bytes" | "items";
  readonly done?: number | undefined;
  readonly total?: number | undefined;
  /** How much was done already by an earlier run: none of this run's rate. */
  readonly doneAtStart?: number | undefined;
  readonly message?: string | undefined;
}

interface Part {
  readonly text: string;
  /** Parts with a low number are given up last. */
  readonly rank: number;
}

const barWidth = 16;

/** Plain text of at most `columns` columns. */
export function progressLine(state: StageState, columns: number): string {
  const title = cut(state.title, columns);
  const parts = partsOf(state);
  const chosen = new Set<Part>();
  let left = columns - title.length;
  for (const part of parts.toSorted((a, b) => a.rank - b.rank)) {
    if (part.text.length + 2 > left) continue;
    chosen.add(part);
    left -= part.text.length + 2;
  }
  return [title, ...parts.filter((part) => chosen.has(part)).map(({ text }) => text)].join("  ");
}

function partsOf(state: StageState): readonly Part[] {
  const { done, total, unit, elapsedMs, message } = state;
  const parts: Part[] = [];
  if (done !== undefined && total !== undefined && total > 0) {
    const share = Math.min(Math.max(done / total, 0), 1);
    const full = Math.round(share * barWidth);
    parts.push({ text: "━".repeat(full) + "╌".repeat(barWidth - full), rank: 2 });
    parts.push({ text: `${String(Math.floor(share * 100)).padStart(3)}%`, rank: 1 });
    const amount = (value: number): string => (unit === "bytes" ? formatBytes(value) : String(value));
    parts.push({ text: `${amount(done)} of ${amount(total)}`, rank: 4 });
    parts.push(...rateOf(state, done, total));
  } else if (elapsedMs >= 1000) parts.push({ text: `${Math.floor(elapsedMs / 1000)} s`, rank: 1 });
  if (message !== undefined && message !== "") parts.push({ text: message, rank: 6 });
  return parts;
}

function rateOf(state: StageState, done: number, total: number): readonly Part[] {
  const { unit, elapsedMs, doneAtStart = 0 } = state;
  const progress = done - doneAtStart;
  if (elapsedMs < 500 || progress <= 0) return [];
  const perMs = progress / elapsedMs;
  const remaining: Part = { text: `${formatMs(roundUp((total - done) / perMs))} left`, rank: 3 };
  const perSecond = perMs * 1000;
  const rate = unit === "bytes" ? formatBytes(perSecond) : perSecond.toFixed(perSecond < 10 ? 1 : 0);
  return [{ text: `${rate}/s`, rank: 5 }, remaining];
}

/** Whole seconds: tenths of a guess are no news. */
function roundUp(ms: number): number {
  return Math.ceil(ms / 1000) * 1000;
}

/** What an ended stage leaves behind: what it came to, and after that how long it took. */
export function endLine(
  title: string,
  detail: string,
  took: string,
  columns: number,
): readonly [text: string, time: string] {
  const text = cut(title, columns);
  const rest = columns - text.length;
  const room = rest - took.length - 4;
  const shown = detail === "" || room < 8 ? "" : `  ${cut(detail, room)}`;
  return [text + shown, took.length + 2 <= rest - shown.length ? `  ${took}` : ""];
}

/** How far it is, and for how long, for a plain line. */
export function amountText(state: StageState): string {
  const { done, total, unit, message } = state;
  const amount = (value: number): string => (unit === "bytes" ? formatBytes(value) : String(value));
  const share = done === undefined || total === undefined ? "" : `${amount(done)} of ${amount(total)}`;
  const rate = done === undefined || total === undefined ? [] : rateOf(state, done, total);
  const words = [share, ...rate.map(({ text }) => text), message];
  return `: ${words.filter(Boolean).join(", ") || "still at it"}`;
}
