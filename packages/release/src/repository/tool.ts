/** Running the programs of the trade: createrepo_c, apt-ftparchive, rpmsign. */
import { execa } from "execa";
import { ToolFailed } from "./errors.ts";

const limitBytes = 512 << 20;

/** What it prints. @throws ToolFailed with what it said */
export async function runTool(
  program: string,
  words: readonly string[],
  {
    signal,
    cwd,
    env = {},
  }: { readonly signal: AbortSignal; readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<string> {
  const result = await execa(program, words, {
    ...(cwd !== undefined && { cwd }),
    env: { LC_ALL: "C", ...env },
    stdin: "ignore",
    maxBuffer: limitBytes,
    stripFinalNewline: false,
    reject: false,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  if (result.exitCode === 0) return result.stdout;
  if (result.code === "ENOENT") {
    throw new ToolFailed(`cannot run ${program}: it is not here`, "type: kgraft doctor");
  }
  const said = result.stderr.trim().split("\n").at(-1) ?? "";
  throw new ToolFailed(
    `cannot run ${program}: exit status is ${result.exitCode ?? "a signal"}, wanted 0${said === "" ? "" : `: ${said}`}`,
    "type: kgraft doctor",
  );
}
