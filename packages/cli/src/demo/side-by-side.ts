/** Work that goes on side by side: the first failure ends the rest, and nothing runs on when this is over. */
import type { Context } from "../context.ts";

/** @throws what failed first */
export async function allOrNone<T extends readonly unknown[]>(
  context: Context,
  start: (context: Context) => { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const stop = new AbortController();
  const works = start({ ...context, signal: AbortSignal.any([context.signal, stop.signal]) });
  for (const work of works) work.catch((error: unknown) => stop.abort(error));
  const results = await Promise.allSettled(works);
  context.signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  // None was rejected: that would have aborted.
  return results.map((result) => (result.status === "fulfilled" ? result.value : undefined)) as unknown as T;
}
