/**
 * The word that someone meant who typed another: the one that begins so (of `blocking` and `blocking_threads` the
 * first), or the one that the fewest single steps lead to, where a step puts in, leaves out or changes a letter, or swaps
 * two neighbours (Damerau and Levenshtein).
 */

/** More steps than that, or than a third of the word has letters, and it is another word. */
const mostSteps = 2;

/** The nearest of the words, capitals and the kind of dash aside; null where none is near. */
export function nearest(typed: string, words: readonly string[]): string | null {
  const plain = typed.slice(0, 64).toLowerCase().replaceAll("_", "-");
  const begun = words.filter((word) => plain.length > 2 && word.replaceAll("_", "-").startsWith(plain));
  const [first] = begun.toSorted((one, other) => one.length - other.length);
  if (first !== undefined && begun.every((word) => word.startsWith(first))) {
    return first;
  }
  let best: string | null = null;
  let fewest = Math.min(mostSteps, Math.floor(plain.length / 3)) + 1;
  for (const word of words) {
    const steps = stepsBetween(plain, word.replaceAll("_", "-"));
    if (steps < fewest) {
      fewest = steps;
      best = word;
    }
  }
  return best;
}

function stepsBetween(from: string, to: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1); // all within the rows
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swap = swapped ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(change, swap, row[j]! + 1, next[j - 1]! + 1));
    }
    [before, row] = [row, next];
  }
  return row[to.length]!;
}
