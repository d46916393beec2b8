/** What a command of `kgr` is; each has a file of its own in commands/. */
import type { Invocation, Shape } from "./arguments.ts";
import type { Dialect } from "./dialect.ts";
import type { Policy } from "./policy.ts";
import type { System } from "./system.ts";

export interface Command extends Shape {
  /** One line for the list of commands. */
  readonly brief: string;
  /** What `kgr COMMAND --help` says beside its usage, lines of at most 76 columns. */
  readonly details: string;
  /** @returns the exit code */
  readonly run: (context: Context) => Promise<number>;
}

export interface Context {
  readonly system: System;
  readonly invocation: Invocation<Command>;
  /** What the administrator allows. */
  readonly policy: Policy;
  /** Whose words it speaks. */
  readonly dialect: Dialect;
}

/** Prints a command's one JSON document. */
export function printJson(system: System, report: object): void {
  system.print("out", `${JSON.stringify(report)}\n`);
}

/** Prints lines; nothing at all where there are none. */
export function printLines(system: System, lines: readonly string[]): void {
  if (lines.length > 0) {
    system.print("out", `${lines.join("\n")}\n`);
  }
}
