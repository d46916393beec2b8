/** Commands in a guest that is expected to live: a fault of its kernel, or a status other than 0, fails the demo. */
import type { CommandResult, Guest, RunOptions } from "@kgraft/lab";
import { DemoFailed } from "../errors.ts";

/** For what hangs: a busy host emulates a guest at a tenth of its speed. */
const commandTimeoutMs = 240_000;

export interface Session {
  readonly guest: Guest;
  /** @returns what the command printed */
  readonly run: (command: string, options?: RunOptions) => Promise<string>;
  /** The result, or the failure of the kernel below. */
  readonly alive: <T>(work: Promise<T>) => Promise<T>;
}

export function openSession(guest: Guest): Session {
  const fault = guest.oops.then((oops): never => {
    throw new DemoFailed(
      `the patched kernel did not survive: ${oops.title}${oops.function === null ? "" : ` in ${oops.function}`}`,
      oops.text.split("\n").slice(0, 12).join("\n"),
    );
  });
  fault.catch(() => {}); // Told to whoever runs a command.
  const alive = <T>(work: Promise<T>): Promise<T> => Promise.race([work, fault]);
  return {
    guest,
    alive,
    async run(command, options = {}) {
      const result: CommandResult = await alive(
        guest.run(command, { timeoutMs: commandTimeoutMs, ...options }),
      );
      if (result.status === 0) return result.stdout;
      throw new DemoFailed(
        `a command failed in the guest: ${command.split("\n")[0]}: exit status is ${result.status}, wanted 0`,
        `${result.stderr}${result.stdout}`.trim() || "it said nothing",
      );
    },
  };
}
