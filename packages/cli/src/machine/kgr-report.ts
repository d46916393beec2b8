/**
 * What `kgr` reports of this machine, for a command of kgraft that says the same: one program knows the package managers
 * and the layout, and the other asks it.
 */
import { spawn } from "node:child_process";
import type { Context } from "../context.ts";
import { LifecycleFailed } from "../errors.ts";
import { follow, kgrTitles } from "../stages.ts";
import { buildKgr } from "./kgr-builder.ts";

export interface KgrReport {
  /** 0, or 1 for a report that says that there is nothing. */
  readonly status: 0 | 1;
  readonly stdout: string;
}

/** Builds kgr where that was not done yet, and runs it with these words. @throws LifecycleFailed, and what buildKgr() does */
export async function kgrReport(
  words: readonly string[],
  { board, signal }: Pick<Context, "board" | "signal">,
): Promise<KgrReport> {
  const progress = follow(board, kgrTitles);
  const program = await buildKgr({ onProgress: progress.onProgress, signal });
  progress.done();
  const text = { stdout: "", stderr: "" };
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
    signal,
  });
  child.stdout.setEncoding("utf8").on("data", (part: string) => void (text.stdout += part));
  child.stderr.setEncoding("utf8").on("data", (part: string) => void (text.stderr += part));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (status === 0 || status === 1) return { status, stdout: text.stdout };
  const [message = "", ...hints] = text.stderr.trim().split("\n");
  throw new LifecycleFailed(
    message.replace(/^kgr: /, "") || `cannot run kgr: exit status is ${status ?? "a signal"}, wanted 0 or 1`,
    hints.map((hint) => hint.trim().replaceAll(/\bkgr lifecycle\b/g, "kgraft lifecycle")).join("\n"),
  );
}
