/**
 * How a transition goes, on the standard error output: on a terminal one line that is written again, with a bar
 * where there is room and only the tasks that are left where there is little; elsewhere a line each time that
 * something changed. What is told beside stays above the line.
 */
import { cutToColumns, t } from "./language.ts";
import type { System } from "./system.ts";
import { printable, tasksLeftText } from "./text.ts";

const barWidth = 20;
const leastColumnsForBar = 60;

export interface Progress {
  /** Shows how many tasks are left; null where this user may not see that. */
  show(patch: string, left: number | null): void;
  /**
   * Shows that the kernel, or a program, is at work on a live patch. How long it has been changes the line on a
   * terminal, and is no new one elsewhere; where that is null, it may be done in a moment, and only a terminal shows it.
   */
  busy(
    patch: string,
    work: string,
    so: { readonly elapsedMs: number; readonly where: string | null } | null,
  ): void;
  /** Says something that stays. */
  tell(line: string): void;
  /** Takes the line away. */
  end(): void;
}

/** Tells nothing where that is not wanted. */
export function progressOn(system: System, wanted: boolean): Progress {
  const columns = wanted ? system.terminalColumns("err") : null;
  const speed = speedometer(system);
  let last = "";
  const clear = (): void => {
    if (columns !== null && last !== "") {
      system.print("err", "\r\u001b[K");
      last = "";
    }
  };
  /** Writes the first of several that fits on a terminal; elsewhere a text that is new. */
  const write = (lines: readonly string[], text: string): void => {
    if (columns !== null) {
      system.print("err", `\r\u001b[K${firstThatFits(lines, Math.max(columns - 1, 10))}`);
    } else if (text !== last) {
      system.print("err", `${text}\n`);
    }
    last = text;
  };
  return {
    show(patch, left) {
      if (!wanted) {
        return;
      }
      const { total, perSecond } = speed(left);
      const rate = perSecond > 0 ? t`, ${perSecond} a second` : "";
      const count = tasksLeftText(left);
      const text = t`${patch}: in_progress, ${count}${rate}`;
      const withBar =
        (columns ?? 0) < leastColumnsForBar || left === null ? [] : [`${bar(left, total)} ${text}`];
      write([...withBar, text, `${patch}: ${count}`, count], text);
    },
    busy(patch, work, so) {
      if (!wanted || (so === null && columns === null)) {
        return;
      }
      const seconds = so === null ? "" : t`, ${Math.floor(so.elapsedMs / 1000)} s`;
      const where = so === null || so.where === null ? "" : t`, in ${printable(so.where)}`;
      const text = t`${patch}: ${work}`;
      write([`${text}${seconds}${where}`, `${text}${seconds}`, `${patch}${seconds}`], text);
    },
    tell(line) {
      if (wanted) {
        clear();
        system.print("err", `${line}\n`);
      }
    },
    end: clear,
  };
}

/** Of several the first that has room, or what of the last has. */
function firstThatFits(lines: readonly string[], columns: number): string {
  return (
    lines.find((line) => cutToColumns(line, columns) === line) ?? cutToColumns(lines.at(-1) ?? "", columns)
  );
}

function bar(left: number, total: number): string {
  const done = left === 0 ? barWidth : Math.floor((barWidth * (total - left)) / Math.max(total, 1));
  return `[${"#".repeat(done)}${".".repeat(barWidth - done)}]`;
}

/** How many tasks there were to move at first, and how many moved in each second since it was last asked. */
function speedometer(system: System): (left: number | null) => { total: number; perSecond: number } {
  let total = 0;
  let before: { readonly left: number; readonly atMs: number } | null = null;
  return (left) => {
    const atMs = system.nowMs();
    const moved = before === null || left === null ? 0 : before.left - left;
    const perSecond = before === null || moved <= 0 ? 0 : Math.round((moved * 1000) / (atMs - before.atMs));
    before = left === null ? null : { left, atMs };
    total = Math.max(total, left ?? 0);
    return { total, perSecond };
  };
}
