/**
 * The command line. kGraft's own form is `kgr -v patches`: options may stand before the command as well as
 * after it, `-v` counts, and `-vv` is `-v -v`. docs/adr/0005 says why no parser library does this.
 */
import { UsageError } from "./errors.ts";

/** What a command accepts beside `-v`, `--json` and `--help`. */
export interface Shape {
  readonly name: string;
  /** Name of the one operand it wants, such as `FILE.ko`; null for none. */
  readonly operand: string | null;
  readonly options: readonly OptionName[];
}

type OptionName = "timeout" | "no-wait";

export interface Invocation<Command extends Shape> {
  readonly command: Command | null;
  readonly operand: string;
  readonly verbosity: number;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
  readonly noWait: boolean;
  readonly timeoutMs: number | null;
}

interface Words {
  readonly operands: string[];
  readonly flags: Set<string>;
  verbosity: number;
  timeout: string | null;
}

/** Reads a command line. @throws UsageError */
export function parseArguments<Command extends Shape>(
  commands: readonly Command[],
  argv: readonly string[],
): Invocation<Command> {
  const words = splitWords(argv);
  const [name, ...operands] = words.operands;
  const command = commands.find((candidate) => candidate.name === name) ?? null;
  const help = words.flags.has("--help");
  const version = words.flags.has("--version");
  if (name !== undefined && command === null) {
    const names = commands.map((candidate) => candidate.name).join(", ");
    throw new UsageError(`cannot run command ${name}: wanted one of ${names}`, "type: kgr --help");
  }
  if (command === null && !help && !version) {
    throw new UsageError("cannot run kgr: no command given", "type: kgr --help");
  }
  if (command !== null && !help && !version) {
    checkShape(command, operands, words);
  }
  return {
    command,
    operand: operands[0] ?? "",
    verbosity: words.verbosity,
    json: words.flags.has("--json"),
    help,
    version,
    noWait: words.flags.has("--no-wait"),
    timeoutMs: words.timeout === null ? null : parseSeconds(words.timeout),
  };
}

function splitWords(argv: readonly string[]): Words {
  const words: Words = { operands: [], flags: new Set(), verbosity: 0, timeout: null };
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!; // below length
    if (word === "--") {
      words.operands.push(...argv.slice(at + 1));
      break;
    } else if (word === "--timeout") {
      at += 1;
      words.timeout = argv[at] ?? "";
    } else if (word.startsWith("--timeout=")) {
      words.timeout = word.slice("--timeout=".length);
    } else if (/^-[hv]+$/.test(word)) {
      words.verbosity += word.split("v").length - 1;
      if (word.includes("h")) {
        words.flags.add("--help");
      }
    } else if (word === "--verbose") {
      words.verbosity += 1;
    } else if (["--json", "--help", "--version", "--no-wait"].includes(word)) {
      words.flags.add(word);
    } else if (word.startsWith("-")) {
      throw new UsageError(`cannot read option ${word}: no command has it`, "type: kgr --help");
    } else {
      words.operands.push(word);
    }
  }
  return words;
}

function checkShape(command: Shape, operands: readonly string[], words: Words): void {
  const hint = `type: kgr ${command.name} --help`;
  const wanted = command.operand === null ? 0 : 1;
  if (operands.length !== wanted) {
    const list = command.operand ?? "no operand";
    throw new UsageError(
      `cannot run ${command.name}: ${operands.length} operands given, wanted ${list}`,
      hint,
    );
  }
  const given: readonly (readonly [OptionName, boolean])[] = [
    ["timeout", words.timeout !== null],
    ["no-wait", words.flags.has("--no-wait")],
  ];
  for (const [option, present] of given) {
    if (present && !command.options.includes(option)) {
      throw new UsageError(`cannot run ${command.name}: it has no option --${option}`, hint);
    }
  }
}

const longestSeconds = 86_400;

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > longestSeconds) {
    throw new UsageError(
      `cannot read --timeout: found ${JSON.stringify(text)}, wanted seconds from 0 to ${longestSeconds}`,
      "type for example: kgr wait --timeout 61",
    );
  }
  return Math.round(seconds * 1000);
}
