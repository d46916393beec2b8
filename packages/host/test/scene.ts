/** What the scenes share: a guest that is spoken to shortly, and live patches that are made of others. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { CommandResult, Guest, GuestFile } from "@kgraft/lab";
import { expect } from "vitest";

/** Far more than anything here takes: guests are emulated, and the machine may be busy. */
const longMs = 240_000;

export interface Scene {
  readonly guest: Guest;
  /** Runs a command, however it ends. */
  readonly run: (command: string) => Promise<CommandResult>;
  /** What a command says that must end well, without the last line's end. */
  readonly says: (command: string) => Promise<string>;
  /** Runs a command while others go on; resolves once it has said so much. */
  readonly begin: (command: string, word?: string) => Promise<Running>;
}

/** A command that goes on while others run. */
export interface Running {
  /** Ends it and gives what it said. */
  end(): Promise<string>;
}

export function sceneIn(guest: Guest): Scene {
  const run = (command: string): Promise<CommandResult> => guest.run(command, { timeoutMs: longMs });
  return {
    guest,
    run,
    async says(command) {
      const { status, stdout, stderr } = await run(command);
      expect(status, `${command}: ${stdout}${stderr}`).toBe(0);
      return stdout.trimEnd();
    },
    async begin(command, word = "ready") {
      const { promise, resolve } = Promise.withResolvers<void>();
      let said = "";
      const job = guest.start(command, {
        onOutput: (text) => {
          said += text;
          if (said.includes(word)) resolve();
        },
      });
      const tooEarly = job.result.then(({ status, stdout, stderr }) => {
        throw new Error(`${command} ended with ${status}: ${stdout}${stderr}`);
      });
      tooEarly.catch(() => {}); // as it shall, once it has said its word
      await Promise.race([promise, tooEarly]);
      return { end: async () => (await job.stop()).stdout };
    },
  };
}

/**
 * A row of modules from one file: the name that they say they have, NAME_00, is put in place in all of it. Nothing in
 * a module depends on the letters of its name.
 */
export async function rowOf(folder: string, name: string, count: number): Promise<readonly GuestFile[]> {
  const original = await readFile(path.join(folder, `${name}_00.ko`), "latin1");
  return Array.from({ length: count }, (_, at) => {
    const own = `${name}_${String(at + 1).padStart(2, "0")}`;
    return { path: `/p/${own}.ko`, source: Buffer.from(original.replaceAll(`${name}_00`, own), "latin1") };
  });
}
