/**
 * The command line. kGraft's own form is `kgr -v patches`: options may stand before the command as well as
 * after it, `-v` counts, and `-vv` is `-v -v`. docs/adr/0005 says why no parser library does this.
 */
import { UsageError } from "./errors.ts";
import { t } from "./language.ts";
import { nearest } from "./nearest.ts";

interface Option {
  /** What follows it, as help shows it; words with `|` between them are all that may follow; null for nothing. */
  readonly argument: string | null;
  /** `-o` for `--output`. */
  readonly letter?: string;
}

/** The options that only some commands have. Help and shell completion are made of this table too. */
export const optionTable = {
  timeout: { argument: "S" },
  "on-timeout": { argument: "report|wait|reverse" },
  "no-wait": { argument: null },
  "dry-run": { argument: null },
  // klp's -n, --non-interactive.
  yes: { argument: null, letter: "n" },
  format: { argument: "openvex|csaf" },
  output: { argument: "FILE", letter: "o" },
  early: { argument: null },
  confirm: { argument: null },
  shutdown: { argument: null },
  days: { argument: "N" },
  date: { argument: "YYYY-MM-DD" },
  save: { argument: "FILE" },
  diff: { argument: "FILE" },
} as const;

export type OptionName = keyof typeof optionTable;

/** How an option is typed: `--output`, and `-o` where it has a letter. */
export function optionWords(name: OptionName): readonly string[] {
  const { letter }: Option = optionTable[name];
  return [`--${name}`, ...(letter === undefined ? [] : [`-${letter}`])];
}

/** What a command accepts beside `-v`, `--json` and `--help`. */
export interface Shape {
  readonly name: string;
  /** Name of the one operand it wants, such as `FILE.ko` or `bash|zsh|fish`, or `[NAME...]` for any number; null for none. */
  readonly operand: string | null;
  readonly options: readonly OptionName[];
}

export interface Invocation<Command extends Shape> {
  readonly command: Command | null;
  readonly operand: string;
  readonly operands: readonly string[];
  readonly verbosity: number;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
  /** What was given of {@link optionTable}; "" for an option that nothing follows. */
  readonly options: ReadonlyMap<OptionName, string>;
  readonly noWait: boolean;
  readonly timeoutMs: number | null;
}

interface Words {
  readonly operands: string[];
  readonly flags: Set<string>;
  readonly options: Map<OptionName, string>;
  verbosity: number;
}

/** How each command is had, by its name: a run needs one of them. */
export type CommandTable<Command extends Shape> = ReadonlyMap<string, () => Promise<Command>>;

/** What kpatch's words and others are here. */
const otherWords: ReadonlyMap<string, string> = new Map([
  ["info", "-v patches"],
  ["list", "patches"],
  ["remove", "unload"],
  ["signal", "poke"],
  ["version", "--version"],
]);

/** Reads a command line. @throws UsageError */
export async function parseArguments<Command extends Shape>(
  commands: CommandTable<Command>,
  argv: readonly string[],
): Promise<Invocation<Command>> {
  const words = splitWords(argv);
  const asksForHelp = words.operands[0] === "help";
  const [name = "", ...operands] = asksForHelp ? words.operands.slice(1) : words.operands;
  const command = (await commands.get(name)?.()) ?? null;
  const help = asksForHelp || words.flags.has("--help");
  const version = words.flags.has("--version");
  if (name !== "" && command === null) {
    const meant = otherWords.get(name) ?? nearest(name, [...commands.keys()]);
    throw new UsageError(t`cannot run command ${name}: there is none of that name`, hintFor(meant));
  }
  if (command === null && !help && !version) {
    throw new UsageError(t`cannot run kgr: no command given`, t`type: kgr --help`);
  }
  if (command !== null && !help && !version) {
    checkShape(command, operands, words);
  }
  return {
    command,
    operand: operands[0] ?? "",
    operands,
    verbosity: words.verbosity,
    json: words.flags.has("--json"),
    help,
    version,
    options: words.options,
    noWait: words.options.has("no-wait"),
    timeoutMs: timeoutMsOf(name, words),
  };
}

/** What to type next, where a word may have been meant that is one. */
function hintFor(meant: string | null): string {
  return meant === null ? t`type: kgr --help` : t`type: kgr ${meant}; or see what there is with: kgr --help`;
}

const plainFlags = ["--json", "--help", "--version"] as const;

function splitWords(argv: readonly string[]): Words {
  const words: Words = { operands: [], flags: new Set(), options: new Map(), verbosity: 0 };
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!; // below length
    const option = findOption(word);
    if (word === "--") {
      words.operands.push(...argv.slice(at + 1));
      break;
    } else if (option !== null) {
      const { name, value } = option;
      const follows = optionTable[name].argument !== null && value === null;
      at += follows ? 1 : 0;
      words.options.set(name, follows ? (argv[at] ?? "") : (value ?? ""));
    } else if (/^-[hv]+$/.test(word)) {
      words.verbosity += word.split("v").length - 1;
      if (word.includes("h")) {
        words.flags.add("--help");
      }
    } else if (word === "--verbose") {
      words.verbosity += 1;
    } else if (plainFlags.some((flag) => flag === word)) {
      words.flags.add(word);
    } else if (word.startsWith("-")) {
      throw new UsageError(t`cannot read option ${word}: no command has it`, hintForOption(word));
    } else {
      words.operands.push(word);
    }
  }
  return words;
}

function hintForOption(word: string): string {
  const names = [...plainFlags, "--verbose", ...Object.keys(optionTable).map((name) => `--${name}`)];
  const [typed = ""] = word.split("=");
  const meant = typed.startsWith("--") ? nearest(typed, names) : null;
  return meant === null
    ? t`type: kgr --help`
    : t`type ${meant} in its place; or see what there is with: kgr --help`;
}

/** `--timeout`, `--timeout=5`, `-o`: which option that is, and what stands behind its `=`. */
function findOption(word: string): { readonly name: OptionName; readonly value: string | null } | null {
  const [, long, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
  for (const name of Object.keys(optionTable) as OptionName[]) {
    const option: Option = optionTable[name];
    const takesValue = value === undefined || option.argument !== null;
    if ((long === name && takesValue) || word === `-${option.letter}`) {
      return { name, value: value ?? null };
    }
  }
  return null;
}

/** The options before the operand: one that took the operand for its own is what is wrong then. */
function checkShape(command: Shape, operands: readonly string[], words: Words): void {
  const hint = t`type: kgr ${command.name} --help`;
  for (const [option, value] of words.options) {
    if (!command.options.includes(option)) {
      throw new UsageError(t`cannot run ${command.name}: it has no option --${option}`, hint);
    }
    const { argument } = optionTable[option];
    if (!isChoice(argument, value) || (argument === "FILE" && value === "")) {
      throw new UsageError(t`cannot read --${option}: found ${shown(value)}, wanted ${argument}`, hint);
    }
  }
  timeoutMsOf(command.name, words);
  const wanted = command.operand === null ? 0 : 1;
  const any = command.operand?.endsWith("...]") === true;
  if ((operands.length !== wanted && !any) || operands.includes("")) {
    const found = operands.length === 0 ? t`nothing` : JSON.stringify(operands.join(" "));
    const wantedList = command.operand ?? t`no operand`;
    const list = t`found ${found}, wanted ${wantedList}`;
    throw new UsageError(t`cannot run ${command.name}: ${list}`, hint);
  }
  if (!isChoice(command.operand, operands[0])) {
    const found = t`found ${JSON.stringify(operands[0])}, wanted ${command.operand}`;
    throw new UsageError(t`cannot run ${command.name}: ${found}`, hint);
  }
}

/** What was typed, as a message shows it. */
function shown(text: string): string {
  return text === "" ? t`nothing` : JSON.stringify(text);
}

/** Whether a word is among those that may stand there; any is where there is no list. */
function isChoice(argument: string | null, word: string | undefined): boolean {
  return argument === null || !argument.includes("|") || argument.split("|").includes(word ?? "");
}

const longestSeconds = 86_400;

function timeoutMsOf(command: string, words: Words): number | null {
  const text = words.options.get("timeout");
  if (text === undefined) {
    return null;
  }
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > longestSeconds) {
    throw new UsageError(
      t`cannot read --timeout: found ${shown(text)}, wanted seconds from 0 to ${longestSeconds}`,
      t`type for example: kgr ${command} --timeout 61`,
    );
  }
  return Math.round(seconds * 1000);
}
