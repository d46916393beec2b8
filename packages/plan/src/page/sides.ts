/** Old and new code of a function beside each other: equal lines at the same height. */
import { diffArrays } from "diff";

/** A row: the old line, the new line, and whether they are the same. An absent line has nothing to stand beside. */
export type Row = readonly [old: string | null, is: string | null, same: 0 | 1];

export function sideBySide(old: readonly string[], is: readonly string[]): Row[] {
  const rows: Row[] = [];
  let [left, right] = [0, 0];
  const changes = diffArrays(old.map(plain), is.map(plain));
  for (const [index, change] of changes.entries()) {
    if (!change.added && !change.removed) {
      for (let line = 0; line < change.count; line++)
        rows.push([old[left++] ?? null, is[right++] ?? null, 1]);
      continue;
    }
    if (change.added && changes[index - 1]?.removed === true) continue; // taken with what it replaces
    const next = changes[index + 1];
    const removed = change.removed ? change.count : 0;
    const added = change.added ? change.count : next?.added === true ? next.count : 0;
    for (let line = 0; line < Math.max(removed, added); line++) {
      rows.push([
        line < removed ? (old[left++] ?? null) : null,
        line < added ? (is[right++] ?? null) : null,
        0,
      ]);
    }
  }
  return rows;
}

/** Labels are counted anew on each side, so they do not make a line another one. */
function plain(line: string): string {
  return line.replaceAll(/\bL\d+\b/g, "L");
}
