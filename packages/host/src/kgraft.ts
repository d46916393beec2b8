/**
 * kGraft itself, in the kernels of SLE 12: one flag for the whole machine in /sys/kernel/kgraft/in_progress, 1 while
 * tasks remain, and one for each task in /proc/PID/kgr_in_progress. Writing 0 to the first marks all tasks as moved.
 * A patch is a module kgraft_patch_*, in force as long as the kernel holds it. Such a kernel does not say which
 * patch is in transition, nor which way: it is the newest one, and it is being applied.
 */
import type { System } from "./system.ts";
import { readText } from "./text.ts";

const flag = "/sys/kernel/kgraft/in_progress";

/** Whether the running kernel has kGraft and not its successor. */
export function hasKgraft(system: System): boolean {
  return system.exists(flag);
}

/** Whether a patch is in transition. */
export function kgraftInProgress(system: System): boolean {
  const text = readText(system, flag)?.trim() ?? "0";
  return text !== "0" && text !== "";
}

/** Marks all tasks as moved. @throws SystemError */
export function forceKgraft(system: System): void {
  system.writeFile(flag, "0");
}

/** A module with a patch. */
export interface KgraftModule {
  readonly name: string;
  readonly inForce: boolean;
}

/** All of them, newest first, as /proc/modules lists them. */
export function kgraftModules(system: System): readonly KgraftModule[] {
  const lines = readText(system, "/proc/modules", 4 << 20)?.split("\n") ?? [];
  return lines.flatMap((line) => {
    const [, name, users] = /^(kgraft_patch_\w+) \d+ (\d+) /.exec(line) ?? [];
    return name === undefined ? [] : [{ name, inForce: users !== "0" }];
  });
}
