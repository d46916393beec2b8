/** Work side by side: as much at once as there are processors, and none left running when one fails. */

/** Runs work as soon as one of `slots` is free, in the order of asking. */
export function limit(slots: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = slots;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resume) => waiting.push(resume));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

/** Results of all; when one fails the others are told to stop, and have stopped when this rejects. */
export async function allOrNone<T extends readonly Promise<unknown>[]>(
  underway: readonly [...T],
  stop: AbortController,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  try {
    return await Promise.all(underway);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(underway);
    throw error;
  }
}
