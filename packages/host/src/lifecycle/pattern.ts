/**
 * Names and versions in lifecycle data: `*` stands for anything, and a name between slashes is a regular expression.
 * One that could take for ever on some name is not used: it has to do without repeated groups that repeat or choose in
 * themselves, and with few repetitions altogether.
 */

/** What the `*` or the groups stood for, behind the whole text; null where the text is another. */
export type Pattern = (text: string) => readonly string[] | null;

const mostRepetitions = 4;

/** A pattern; null for one that cannot be used. */
export function patternOf(source: string): Pattern | null {
  if (isPlain(source)) {
    return (text) => (text === source ? [text] : null);
  }
  const expression = expressionOf(source);
  return (
    expression &&
    ((text) => {
      const match = expression.exec(text);
      return match && [text, ...match.slice(1).map((part) => part ?? "")];
    })
  );
}

/** Whether it stands for one text alone, itself. */
export function isPlain(source: string): boolean {
  return !source.includes("*") && !isRegular(source);
}

/** The pattern of a successor, for a package that matched with these parts. */
export function successorPattern(source: string, parts: readonly string[]): Pattern | null {
  const quote = isRegular(source) ? quoteRegular : (text: string): string => text;
  return patternOf(source.replaceAll(/<(\d)>/g, (_, index: string) => quote(parts[Number(index)] ?? "")));
}

function expressionOf(source: string): RegExp | null {
  const text = isRegular(source)
    ? source
        .slice(1, -1)
        .replaceAll(String.raw`\A`, "^")
        .replaceAll(/\\[zZ]/g, "$")
    : `^${source.split("*").map(quoteRegular).join("(.*)")}$`;
  if (!isTame(text)) {
    return null;
  }
  try {
    return new RegExp(text);
  } catch {
    return null;
  }
}

function isRegular(source: string): boolean {
  return source.length > 2 && source.startsWith("/") && source.endsWith("/");
}

function quoteRegular(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}

/** Whether it ends soon on every text. */
function isTame(source: string): boolean {
  let text = source.replaceAll(/\\./gs, "x").replaceAll(/\[[^\]]*\]/g, "x");
  const repetitions = text.match(/[*+{]/g)?.length ?? 0;
  while (text.includes("(")) {
    const shorter = text.replaceAll(/\(([^()]*)\)(?![*+{])/g, "$1").replaceAll(/\([^()*+{|?]*\)/g, "x");
    if (shorter === text) {
      return false;
    }
    text = shorter;
  }
  return repetitions <= mostRepetitions;
}
