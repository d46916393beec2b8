/** What has happened to the running kernel, as the bits of /proc/sys/kernel/tainted say. */
import type { System } from "./system.ts";
import { readText } from "./text.ts";

/** The letter of each bit, from the lowest: Documentation/admin-guide/tainted-kernels.rst. */
const letters = "PFSRMBUDAWCIOELKXTN";

/** Letters of the taints that the kernel has, in the order of their bits. */
export function kernelTaints(system: System): string {
  const mask = BigInt(/^\d{1,19}/.exec(readText(system, "/proc/sys/kernel/tainted") ?? "")?.[0] ?? "0");
  return letters
    .split("")
    .filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n)
    .join("");
}

/** Letters of the taints that a loaded module brought, such as `OEK`. */
export function moduleTaints(system: System, module: string): string {
  return readText(system, `/sys/module/${module}/taint`)?.trim() ?? "";
}
