/** Lines of at most so many columns, each begun alike. */
export function fill(text: string, columns: number, indent: string): string {
  let lines = "";
  let line = indent;
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length + 1 > columns && line !== indent) {
      lines += `${line}\n`;
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return `${lines}${line}\n`;
}
