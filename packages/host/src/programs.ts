/** The machine's own programs that kgr runs: few, and each is kmod's, coreutils' or busybox's. */
import { KernelRefusedError, MissingProgramError } from "./errors.ts";
import { t } from "./language.ts";
import type { System } from "./system.ts";
import { printable } from "./text.ts";

const folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const hashLimitMs = 60_000;

/**
 * How to call a program. Not by PATH alone: an ordinary login's does not have the system's programs.
 *
 * @throws MissingProgramError
 */
export function findProgram(system: System, name: string): readonly string[] {
  const own = findInstalled(system, name);
  if (own !== null) {
    return own;
  }
  const busybox = folders.map((folder) => `${folder}/busybox`).find((path) => system.exists(path));
  if (busybox !== undefined) {
    return [busybox, name];
  }
  const hint = ["sha256sum", "sync"].includes(name) ? t`install coreutils` : t`install kmod`;
  throw new MissingProgramError(t`cannot find ${name}: it is in none of ${folders.join(", ")}`, hint);
}

/** How to call a program that a machine may lack; null where it does. */
export function findInstalled(system: System, name: string): readonly string[] | null {
  const path = folders.map((folder) => `${folder}/${name}`).find((candidate) => system.exists(candidate));
  return path === undefined ? null : [path];
}

/**
 * SHA-256 of a file in hex. Not computed here: in bytecode that is a hundred times slower.
 *
 * @throws KernelRefusedError, MissingProgramError
 */
export async function sha256OfFile(system: System, path: string): Promise<string> {
  const result = await system.run([...findProgram(system, "sha256sum"), path], hashLimitMs);
  // A name with a backslash or a line end is marked by a backslash before the hash.
  const hash = /^\\?([0-9a-f]{64})\s/.exec(result.output)?.[1];
  if (hash === undefined) {
    const said = printable(result.output.trim());
    throw new KernelRefusedError(t`cannot hash ${path}: sha256sum said ${said}`, t`type: sha256sum ${path}`);
  }
  return hash;
}
