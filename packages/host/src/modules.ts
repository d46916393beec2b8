/**
 * Putting modules into the kernel and out of it, with the machine's own insmod and rmmod (kmod's or busybox's).
 * "Busy" is waited out, with a bound: the kernel answers it for a moment while another transition ends, and for
 * as long as it takes to let go of a disabled patch's module, which happens in the background, commit
 * 958ef1e39d24 ("livepatch: Simplify API by removing registration step") (in v5.1).
 */
import { InterruptedError, KernelRefusedError } from "./errors.ts";
import { findProgram } from "./programs.ts";
import type { System } from "./system.ts";
import { printable } from "./text.ts";

const tries = 40;
const pauseMs = 250;
const runLimitMs = 120_000;

/** What the C library says for an error number, and what that means here. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [
    /Required key not available|Key was rejected/,
    "the kernel wants a signature by a key that it knows: see kgr(1)",
  ],
  [/Operation not permitted/, "module loading is locked down: see /proc/sys/kernel/modules_disabled"],
  [/Invalid module format/, "the module is for another kernel, or damaged; dmesg tells more"],
  [/Unknown symbol|No such file/, "the module needs a symbol that this kernel lacks; dmesg tells more"],
  [/No such device/, "the kernel cannot replace a function that the patch names; dmesg tells more"],
  [/Cannot allocate memory/, "the machine has no memory left; free some and try again"],
];

/** Loads a module. @throws KernelRefusedError, MissingProgramError, InterruptedError: then it is not loaded */
export async function insertModule(system: System, path: string): Promise<void> {
  await untilNotBusy(system, "insert", path, [...findProgram(system, "insmod"), path]);
}

/** Removes a module. @throws KernelRefusedError, MissingProgramError, InterruptedError: then it is still loaded */
export async function removeModule(system: System, name: string): Promise<void> {
  await untilNotBusy(system, "remove", name, [...findProgram(system, "rmmod"), name]);
}

/** Whether a module of that name is loaded, live patch or not. */
export function isLoaded(system: System, name: string): boolean {
  return system.exists(`/sys/module/${name}/refcnt`);
}

async function untilNotBusy(
  system: System,
  action: string,
  what: string,
  program: readonly string[],
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const result = await system.run(program, runLimitMs);
    if (result.kind === "exited" && result.status === 0) {
      return;
    }
    const said = printable(result.output.trim());
    const busy = /Device or resource busy|Resource temporarily unavailable|is in use/.test(said);
    if (system.interrupted()) {
      throw new InterruptedError(`cannot ${action} ${what}: interrupted`, "type: kgr -v patches");
    }
    if (!busy || attempt === tries) {
      const hint = meanings.find(([pattern]) => pattern.test(said))?.[1] ?? "see the end of dmesg";
      const why =
        result.kind === "timeout" ? `no answer after ${runLimitMs / 1000} s` : said || "no reason given";
      throw new KernelRefusedError(`cannot ${action} ${what}: ${why}`, hint);
    }
    await system.sleep(pauseMs);
  }
}
