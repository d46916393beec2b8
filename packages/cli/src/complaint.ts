/** How an error is told: to a person one message and what to do; to a program one document. */
import { exitCodeOf, isForeseen } from "./exit-codes.ts";
import { printable, wrap } from "./format.ts";
import type { Style } from "./style.ts";
import { explainSystemError, isSystemError, matterOf, type SystemError } from "./system-error.ts";

/** One reason why a change was refused; the build room's UnitReason has these fields. */
interface RefusalReason {
  readonly unit: string;
  readonly code: string;
  readonly subject: string;
  readonly message: string;
  readonly hint?: string;
}

export interface ErrorDocument {
  readonly error: {
    readonly name: string;
    readonly message: string;
    readonly hint?: string;
    readonly exitCode: number;
    readonly reasons?: readonly RefusalReason[];
  };
}

export function errorDocument(error: unknown): ErrorDocument {
  const { name, message } = describe(error);
  const hint = hintOf(error);
  const reasons = reasonsOf(error);
  return {
    error: {
      name,
      message,
      ...(hint !== "" && { hint }),
      exitCode: exitCodeOf(error),
      ...(reasons.length > 0 && { reasons }),
    },
  };
}

/** The lines for a terminal of so many columns. */
export function errorLines(error: unknown, columns: number, style: Style): readonly string[] {
  const { message } = describe(error);
  const indent = " ".repeat("kgraft: ".length);
  const [first = "", ...more] = printable(message).split("\n");
  const lines = [`${style.red(style.bold("kgraft:"))} ${first}`, ...more.map((line) => indent + line)];
  for (const reason of reasonsOf(error)) {
    lines.push(
      "",
      `  ${style.bold(reason.unit === reason.subject ? reason.unit : `${reason.unit}: ${reason.subject}`)}`,
    );
    lines.push(...wrap(printable(reason.message), columns, "    "));
    if (reason.hint !== undefined) {
      lines.push(...wrap(printable(reason.hint), columns, "    ").map(style.cyan));
    }
  }
  const hint = hintOf(error);
  if (hint !== "") lines.push(...wrap(printable(hint), columns, indent).map(style.cyan));
  if (!isForeseen(error)) {
    lines.push(`${indent}this is a fault of kgraft itself; please report it with what follows`);
    lines.push(...String(error instanceof Error ? error.stack : error).split("\n"));
  }
  return lines;
}

function describe(error: unknown): { readonly name: string; readonly message: string } {
  if (isUntold(error)) return { name: "SystemError", message: explainSystemError(error).message };
  return error instanceof Error
    ? { name: error.name, message: inWords(error) }
    : { name: "Error", message: String(error) };
}

/** A room's message, where it quotes the operating system, with words in place of the code. */
function inWords({ message, cause }: Error): string {
  const matter = matterOf(cause);
  if (matter === undefined || !(cause instanceof Error)) return message;
  return message.replace(String(cause), () => matter).replace(cause.message, () => matter);
}

/** One of the operating system's that no room has put into words of its own. */
function isUntold(error: unknown): error is SystemError {
  return isSystemError(error) && !("hint" in error);
}

function hintOf(error: unknown): string {
  if (isUntold(error)) return explainSystemError(error).hint;
  return error instanceof Error && "hint" in error && typeof error.hint === "string" ? error.hint : "";
}

function reasonsOf(error: unknown): readonly RefusalReason[] {
  return error instanceof Error && "reasons" in error && Array.isArray(error.reasons)
    ? (error.reasons as readonly RefusalReason[])
    : [];
}
