import { basename } from "node:path";
import { GuestSetupFailed } from "./errors.ts";
import { bootGuest } from "./guest.ts";
import { findOops, type KernelOops } from "./oops.ts";
import type { GuestOptions, OnOutput } from "./options.ts";
import type { CommandResult } from "./slots.ts";

export interface RunInGuestOptions extends GuestOptions {
  /** Program and arguments; a single one may be a line of shell only if it is given to `sh -c`. */
  readonly command: readonly string[];
  /** Module files (.ko) of the host that are inserted before the command, in this order. */
  readonly load?: readonly string[];
  readonly onOutput?: OnOutput;
}

/** What one command did in a guest of its own. */
export interface LabResult extends CommandResult {
  readonly consoleText: string;
  /** The first fault the kernel reported, or null. */
  readonly oops: KernelOops | null;
  /** From the start to the first answer. */
  readonly bootMs: number;
}

/** One word of a POSIX shell that means exactly this text. */
export function quoteShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Boots a guest, inserts modules, runs one command there and powers the guest off.
 *
 * @throws as `bootGuest` and `Guest.run`; GuestSetupFailed where the kernel refuses a module
 */
export async function runInGuest(options: RunInGuestOptions): Promise<LabResult> {
  const load = (options.load ?? []).map((source, index) => ({
    path: `/lab/load/${index}/${basename(source)}`,
    source,
  }));
  const started = performance.now();
  await using guest = await bootGuest({ ...options, files: [...(options.files ?? []), ...load] });
  const bootMs = Math.round(performance.now() - started);
  for (const { path, source } of load) {
    const inserted = await guest.run(`insmod ${quoteShell(path)} || { dmesg | tail -n 5; exit 1; }`);
    if (inserted.status !== 0) {
      throw new GuestSetupFailed(
        `cannot insert ${source} into the guest's kernel: ${inserted.stderr.trim()}; it logged:\n${inserted.stdout}`,
      );
    }
  }
  const result = await guest.run(options.command.map(quoteShell).join(" "), {
    ...(options.onOutput && { onOutput: options.onOutput }),
  });
  await guest.shutdown();
  return { ...result, consoleText: guest.consoleText, oops: findOops(guest.consoleText), bootMs };
}
