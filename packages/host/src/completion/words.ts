/** What a shell can complete, drawn from the command table; each shell has a file of its own beside this one. */
import { type OptionName, optionTable, optionWords } from "../arguments.ts";
import type { Command } from "../command.ts";

/** What may stand at a place of the command line. */
export type Place =
  /** A live patch in the kernel. */
  | { readonly kind: "patch" }
  /** A live patch that is loaded when the running kernel boots. */
  | { readonly kind: "installed" }
  | { readonly kind: "file"; readonly suffix: string }
  | { readonly kind: "choice"; readonly words: readonly string[] }
  /** A number or a name that nobody can guess. */
  | { readonly kind: "free" };

export interface OptionWord {
  /** Such as `--output` and `-o`. */
  readonly words: readonly string[];
  /** What follows it; null for nothing. */
  readonly argument: Place | null;
}

export interface CommandWord {
  readonly name: string;
  readonly brief: string;
  readonly operand: Place | null;
  readonly options: readonly OptionWord[];
}

/** Options that stand with every command, and before it. */
export const generalOptions: readonly OptionWord[] = [
  { words: ["--verbose", "-v"], argument: null },
  { words: ["--json"], argument: null },
  { words: ["--help", "-h"], argument: null },
  { words: ["--version"], argument: null },
];

/** The commands as words to be completed. */
export function commandWords(commands: readonly Command[]): readonly CommandWord[] {
  return commands.map(({ name, brief, operand, options }) => ({
    name,
    brief,
    operand: name === "uninstall" ? { kind: "installed" } : operand === null ? null : placeOf(operand),
    options: options.map(optionWord),
  }));
}

/** All options that only some commands have. */
export const specialOptions: readonly OptionWord[] = (Object.keys(optionTable) as OptionName[]).map(
  optionWord,
);

function optionWord(name: OptionName): OptionWord {
  const { argument } = optionTable[name];
  return { words: optionWords(name), argument: argument === null ? null : placeOf(argument) };
}

/** From what help shows: `NAME`, `FILE`, `FILE.ko`, `bash|zsh|fish`, in brackets where it may be left out. */
function placeOf(shown: string): Place {
  const text = shown.replaceAll(/[[\]]/g, "");
  if (text.includes("|")) {
    return { kind: "choice", words: text.split("|") };
  }
  if (text === "NAME") {
    return { kind: "patch" };
  }
  return text.startsWith("FILE") ? { kind: "file", suffix: text.slice("FILE".length) } : { kind: "free" };
}

/** Text between single quotes, as all three shells read it; fish alone takes a backslash for itself. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
