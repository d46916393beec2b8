/** Runs the package managers' own tools. */
import { execa } from "execa";
import { PackageToolFailed, PackageToolMissing } from "./errors.ts";

/** What long work takes from its caller. */
export interface Work {
  readonly signal: AbortSignal;
}

/** Debian's package that brings each tool. */
const bringers: Readonly<Record<string, string>> = { "dpkg-deb": "dpkg", rpmbuild: "rpm" };

/**
 * Runs a tool to its end and answers its standard output.
 *
 * @throws PackageToolMissing, PackageToolFailed with the end of what it said, or the signal's reason
 */
export async function runTool(
  program: string,
  args: readonly string[],
  { signal, env = {} }: Work & { readonly env?: NodeJS.ProcessEnv },
): Promise<string> {
  const result = await execa(program, args, {
    cancelSignal: signal,
    env: { LC_ALL: "C.UTF-8", ...env },
    reject: false,
    stdin: "ignore",
  });
  signal.throwIfAborted();
  if (result.code === "ENOENT") {
    throw new PackageToolMissing(
      `cannot run ${program}: it is not installed`,
      `apt-get install ${bringers[program] ?? program}`,
      { cause: result },
    );
  }
  if (result.exitCode !== 0) {
    const said = `${result.stderr}\n${result.stdout}`.trim().split("\n").slice(-8).join("\n");
    throw new PackageToolFailed(
      `cannot run ${program}: exit status is ${result.exitCode ?? "a signal"}, wanted 0`,
      said || "it said nothing",
    );
  }
  return result.stdout;
}
