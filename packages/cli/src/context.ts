/** What every command gets besides its own words. */
import type { CommandContext } from "@stricli/core";
import type { Board } from "./board.ts";
import type { Style } from "./style.ts";

export interface Context extends CommandContext {
  /** The one writer of both outputs. */
  readonly board: Board;
  /** For what goes to the standard output. */
  readonly style: Style;
  /** Columns of the standard output; without end where it is no terminal. */
  readonly columns: number;
  readonly signal: AbortSignal;
  /** What the command exits with when it ends well. */
  status: number;
}

/** Prints the command's answer: one JSON document, or lines. */
export function answer(
  { board }: Context,
  json: boolean,
  document: object,
  lines: () => readonly string[],
): void {
  board.close();
  // In one piece: a diff of a whole update has more lines than a call can have arguments.
  const text = json ? JSON.stringify(document, null, 2) : lines().join("\n");
  if (text !== "") board.print(text);
}

/** The flag that every answering command has. */
export const jsonFlag: {
  readonly kind: "boolean";
  readonly brief: string;
  readonly default: false;
  readonly withNegated: false;
} = { kind: "boolean", brief: "Answer with one JSON document", default: false, withNegated: false };
