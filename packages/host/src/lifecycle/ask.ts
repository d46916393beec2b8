/** What the package managers say. */
import { findInstalled } from "../programs.ts";
import type { System } from "../system.ts";

const limitMs = 120_000;
const limitBytes = 16 << 20;

/** Output of a program; null where it is not installed, or fails. */
export async function ask(system: System, program: string, args: readonly string[]): Promise<string | null> {
  const found = findInstalled(system, program);
  if (found === null) {
    return null;
  }
  const result = await system.run([...found, ...args], limitMs, { limitBytes });
  return result.kind === "exited" && result.status === 0 ? result.output : null;
}
