/**
 * A live patch must come from the compiler that made the kernel: another version inlines, splits and names
 * differently. The kernel's configuration says which it was.
 */
import { type Architecture, crossPrefix } from "./architecture.ts";
import { BadInput, CompilerMismatch, ToolMissing } from "./errors.ts";
import { run } from "./run.ts";
import { type Compiler, compilerPath } from "./tree.ts";

/** Reads CONFIG_CC_VERSION_TEXT: `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`, since Debian 13 `x86_64-linux-gnu-gcc-14 ...`. */
export function compilerOf(config: string, architecture: Architecture): Compiler {
  const version = /^CONFIG_CC_VERSION_TEXT="([^"]+)"$/m.exec(config)?.[1];
  if (version === undefined) {
    throw new BadInput(
      "read the kernel's configuration",
      "no CONFIG_CC_VERSION_TEXT",
      "the compiler's version",
    );
  }
  const name = version.split(" ")[0]!;
  const command = name.includes("-linux-gnu-") ? name : `${crossPrefix(architecture)}${name}`;
  return { command, version };
}

const mismatchHint =
  "another compiler makes other code: kgraft kernel fetch, with the suite the kernel comes from, brings the right one";

const checked = new Map<string, Promise<string>>();

/**
 * Asks the compiler who it is, once per process. Returns the first line of its `--version`.
 * Throws CompilerMismatch when it is missing or another one.
 */
export async function checkCompiler(
  release: string,
  compiler: Compiler,
  signal: AbortSignal,
): Promise<string> {
  const command = compilerPath(compiler);
  const known = checked.get(command);
  const asked = known ?? firstLine(command, signal);
  checked.set(command, asked);
  let found: string;
  try {
    found = await asked;
  } catch (error) {
    checked.delete(command);
    if (!(error instanceof ToolMissing)) throw error;
    throw new CompilerMismatch(release, `no ${compiler.command}`, compiler.version, mismatchHint);
  }
  // The first word is the name it was called by, which a cross compiler has longer.
  if (afterName(found) !== afterName(compiler.version)) {
    throw new CompilerMismatch(release, found, compiler.version, mismatchHint);
  }
  return found;
}

async function firstLine(command: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await run(command, ["--version"], { signal });
  return stdout.split("\n")[0]!.trim();
}

function afterName(version: string): string {
  return version.slice(version.indexOf(" ") + 1);
}

/** Debian's package of a compiler command: `x86_64-linux-gnu-gcc-12` comes in `gcc-12-x86-64-linux-gnu`. */
export function packageOf(command: string): string {
  const match = /^([a-z0-9_]+)-linux-gnu-(gcc-\d+)$/.exec(command);
  return match === null ? command : `${match[2]}-${match[1]!.replaceAll("_", "-")}-linux-gnu`;
}
