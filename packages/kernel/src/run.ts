/**
 * One way to run a program. Each child leads a process group of its own, so that an abort reaches everything it
 * started (make starts shells, shells start compilers) and returns only when all of it is gone.
 */
import { spawn } from "node:child_process";
import { CommandFailed, NoSpace, ToolMissing } from "./errors.ts";

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly cwd?: string;
  /** The whole environment; default: this process's, in the C locale. */
  readonly env?: NodeJS.ProcessEnv;
  /** Exit statuses that are not failures; default 0. With "all" the caller looks at it, but for want of space. */
  readonly okCodes?: readonly number[] | "all";
  /** Takes the output as it comes; `stdout` of the result then stays empty. */
  readonly onStdout?: (chunk: Buffer) => void;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const maxOutputBytes = 256 * 1024 * 1024;
const maxErrorBytes = 1024 * 1024;
const killAfterMs = 3000;

/** Runs a program and waits for it. Throws ToolMissing, CommandFailed, NoSpace, or the signal's reason. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  options.signal.throwIfAborted();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? cleanEnvironment(),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let stdoutBytes = 0;
  let stderrBytes = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    if (options.onStdout !== undefined) options.onStdout(chunk);
    else if ((stdoutBytes += chunk.length) <= maxOutputBytes) stdout.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr.push(chunk);
    stderrBytes += chunk.length;
    while (stderrBytes > maxErrorBytes && stderr.length > 1) stderrBytes -= stderr.shift()!.length;
  });
  const code = await ended(child, command, options.signal);
  options.signal.throwIfAborted();
  const errors = Buffer.concat(stderr).toString();
  const { okCodes = [0] } = options;
  if (!(okCodes === "all" ? [0] : okCodes).includes(code)) {
    if (/No space left on device|Disk quota exceeded/.test(errors)) throw new NoSpace(options.cwd ?? command);
    if (okCodes !== "all")
      throw new CommandFailed(
        `run ${command}`,
        code,
        errors || Buffer.concat(stdout).toString().slice(-4096),
      );
  }
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: errors };
}

/** Runs a bash script with its arguments in $1, $2, ...; a failure anywhere in a pipe is a failure. */
export function runScript(script: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return run("bash", ["-c", `set -euo pipefail; ${script}`, "kgraft", ...args], options);
}

/** This process's environment without what changes how make, gcc and their messages behave. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: "C" };
  const leave = ["MAKEFLAGS", "MAKELEVEL", "ARCH", "CROSS_COMPILE", "CC", "CFLAGS", "KCFLAGS", "LDFLAGS"];
  for (const name of [...leave, "O", "M", "V", "CPATH", "C_INCLUDE_PATH", "KBUILD_OUTPUT", "LOCALVERSION"]) {
    delete env[name];
  }
  return env;
}

function ended(child: ReturnType<typeof spawn>, command: string, signal: AbortSignal): Promise<number> {
  const killGroup = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group is already gone.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    killGroup("SIGTERM");
    timer = setTimeout(() => killGroup("SIGKILL"), killAfterMs);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return new Promise<number>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new ToolMissing(command, { cause: error }) : error),
    );
    child.once("close", (code) => resolve(code ?? 128));
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}
