/** Work side by side, none of which is left running when one fails. */

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
