import { spawn } from "node:child_process";
import { CommandFailed, ToolMissing } from "./errors.ts";

const outputLimitBytes = 16_384;

/**
 * Runs a program to its end and answers its standard output. On abort the program and all that it started are
 * ended: gcc's own children would otherwise go on without it.
 *
 * @throws CommandFailed with the end of what it said, ToolMissing, or the signal's reason
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<string> {
  options.signal.throwIfAborted();
  const child = spawn(program, args, { cwd: options.cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const end = (): void => {
    if (child.pid !== undefined) {
      process.kill(-child.pid, "SIGKILL");
    }
  };
  options.signal.addEventListener("abort", end, { once: true });
  let output = "";
  let said = "";
  child.stdout.on("data", (data: Buffer) => (output = (output + data.toString()).slice(-outputLimitBytes)));
  child.stderr.on("data", (data: Buffer) => (said = (said + data.toString()).slice(-outputLimitBytes)));
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    options.signal.throwIfAborted();
    if (status !== 0) {
      const message = `cannot run ${program}: exit status is ${status ?? "a signal"}, wanted 0`;
      throw new CommandFailed(message, (said || output).trim());
    }
    return output;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
      throw new ToolMissing(`cannot run ${program}: it is not installed`, "type: kgraft doctor", { cause });
    }
    throw cause;
  } finally {
    options.signal.removeEventListener("abort", end);
  }
}
