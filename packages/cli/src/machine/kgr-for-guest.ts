/** The `kgr` binary for a guest: from the cache, or built now; a guest without it still runs other commands. */
import type { Context } from "../context.ts";
import { printable } from "../format.ts";
import { follow, kgrTitles } from "../stages.ts";
import { buildKgr } from "./kgr-builder.ts";

/** What a machine may lack to build it: a program, the C library, or the way to a mirror. */
const lacking: ReadonlySet<string> = new Set([
  "CommandFailed",
  "DownloadFailed",
  "MirrorUnknown",
  "ToolMissing",
]);

/** @returns its path, or undefined where it cannot be built; then one line on the standard error output says so */
export async function kgrForGuest({
  board,
  signal,
}: Pick<Context, "board" | "signal">): Promise<string | undefined> {
  const progress = follow(board, kgrTitles);
  try {
    const path = await buildKgr({ onProgress: progress.onProgress, signal });
    progress.done();
    return path;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error) || !lacking.has(error.name)) throw error;
    progress.drop();
    const [why = ""] = printable(error.message).split("\n");
    board.write(`kgraft: the guest has no kgr: ${why} (kgraft doctor tells what it takes)\n`, "stderr");
    return undefined;
  }
}
