/**
 * What a guest's kernel is told of its clock. Emulated, the guest reads this machine's own time stamp counter, and
 * measures its rate at the start against timers that come late where this machine is busy: its clock then ran up to
 * five times too fast, and every time limit in the guest with it. A virtual machine's kernel is told the rate by its
 * host and shows it in /proc/cpuinfo; elsewhere that shows the present frequency of the core, which says nothing.
 */
import { readFileSync } from "node:fs";

/** Kernel parameters (Documentation/admin-guide/kernel-parameters.txt), where the rate is known. */
export function clockParameters(): readonly string[] {
  return parametersFrom(readFileSync("/proc/cpuinfo", "utf8"));
}

/** The same, from the text of /proc/cpuinfo. */
export function parametersFrom(cpuinfo: string): readonly string[] {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(" ") ?? [];
  const mhz = Number(/^cpu MHz\s*:\s*([\d.]+)$/m.exec(cpuinfo)?.[1]);
  return flags.includes("hypervisor") && flags.includes("constant_tsc") && mhz > 0
    ? [`tsc_early_khz=${Math.round(mhz * 1000)}`]
    : [];
}
