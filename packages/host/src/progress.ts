/**
 * How a transition goes, on the standard error output: on a terminal one line that is written again, with a bar
 * where there is room and only the tasks that are left where there is little; elsewhere a line each time that something changed. What is told beside stays above the line.
 */
import { cutToColumns, t } from "./language.ts";
import type { System } from "./system.ts";
import { tasksLeftText } from "./text.ts";

const barWidth = 20;
const leastColumnsForBar = 60;

export interface Progress {
  /** Shows how many tasks are left; null where this user may not see that. */
  show(patch: string, left: number | null): void;
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
  return {
    show(patch, left) {
      if (!wanted) {
        return;
      }
      const { total, perSecond } = speed(left);
      const rate = perSecond > 0 ? t`, ${perSecond} a second` : "";
      const count = tasksLeftText(left);
      const text = t`${patch}: in_progress, ${count}${rate}`;
      if (columns !== null) {
        const withBar = columns < leastColumnsForBar || left === null ? [] : [`${bar(left, total)} ${text}`];
        const line = firstThatFits(
          [...withBar, text, `${patch}: ${count}`, count],
          Math.max(columns - 1, 10),
        );
        system.print("err", `\r\u001b[K${line}`);
      } else if (text !== last) {
        system.print("err", `${text}\n`);
      }
      last = text;
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
  const done = Math.floor((barWidth * (total - left)) / Math.max(total, 1));
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
