/** Numbers and tables for people. */
import { stripVTControlCharacters } from "node:util";

const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** `402 MB`; decimal, as disks and networks are counted. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** `40 ms`, `1.2 s`, `2 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function count(number: number, noun: string, plural: string = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** Columns that a text takes, colours aside. */
export function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Cuts plain text to a number of columns. */
export function cut(text: string, columns: number): string {
  if (text.length <= columns) return text;
  return columns <= 1 ? text.slice(0, Math.max(columns, 0)) : `${text.slice(0, columns - 1)}…`;
}

/** Lines of at most so many columns, broken at spaces; what the text's own lines begin with is kept. */
export function wrap(text: string, columns: number, indent = ""): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const lines: string[] = [];
    let current = "";
    for (const word of line.split(" ")) {
      const longer = current === "" ? word : `${current} ${word}`;
      if (current !== "" && indent.length + longer.length > columns) {
        lines.push(indent + current);
        current = word;
      } else current = longer;
    }
    return [...lines, indent + current];
  });
}

/**
 * Breaks a coloured line at its spaces. What follows stands below the line's text: after its indent and mark, or in
 * the second column of a table.
 */
export function wrapStyled(line: string, columns: number): readonly string[] {
  if (width(line) <= columns) return [line];
  const plain = stripVTControlCharacters(line);
  const second = /^ *\S+(?: \S+){0,3} {2,}/.exec(plain)?.[0].length ?? columns;
  const indent = /^ *(?:(?:[✔✘$]|guest#) )?/.exec(plain)?.[0].length ?? 0;
  const hanging = " ".repeat(second <= columns / 3 ? second : Math.min(indent, columns / 3));
  const lines: string[] = [];
  let current = "";
  for (const piece of line.split(/(?<=\S) /)) {
    if (current !== "" && width(current) + 1 + width(piece) > columns) {
      lines.push(current);
      current = hanging + piece.trimStart();
    } else current = current === "" ? piece : `${current} ${piece}`;
  }
  return [...lines, current];
}

/** Columns of aligned cells, two spaces apart; numbers (columns named in `right`) end together. */
export function table(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, width(cell));
  }
  return rows.map((row) =>
    row
      .map((cell, index) => {
        const gap = " ".repeat((widths[index] ?? 0) - width(cell));
        return right.includes(index) ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd(),
  );
}

/** What a terminal could take for an order is shown, not sent: file names and messages come from outside. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
