/**
 * /etc/kgr/kgr.conf: what the administrator lets kgr do, as lines KEY=value in the manner of /etc/default, read and
 * never executed. A line that cannot be read changes nothing: its default stays, and a message names the line. What
 * is bad in the file must not keep a machine from being patched.
 */
import { n, t, translate } from "./language.ts";
import { defaultPolicy, type Policy } from "./policy.ts";
import { type System, SystemError } from "./system.ts";
import { decodeUtf8, printable } from "./text.ts";

/** Where the administrator's policy stands. */
export const configFile = "/etc/kgr/kgr.conf";
const limitBytes = 65_536;
const longestSeconds = 86_400;

/** How one value of the policy is written in the file. */
interface Setting<Value> {
  readonly key: string;
  /** What may stand there, for a message. */
  readonly wanted: string;
  /** null for what may not stand there. */
  readonly read: (text: string) => Value | null;
  readonly show: (value: Value) => string;
}

/** Every value of the policy has a key; the type checker sees to it. */
const settings: { readonly [Field in keyof Policy]: Setting<Policy[Field]> } = {
  unknownModule: choice("UNKNOWN_MODULE", ["warn", "refuse"]),
  unsignedModule: choice("UNSIGNED_MODULE", ["allow", "warn", "refuse"]),
  refusedTaints: letters("REFUSED_TAINTS"),
  probedFunction: choice("PROBED_FUNCTION", ["warn", "refuse"]),
  transitionTimeoutMs: seconds("TRANSITION_TIMEOUT"),
  onTimeout: choice("ON_TIMEOUT", ["report", "wait", "reverse"]),
  nudge: yesOrNo("NUDGE"),
  busyTimeoutMs: seconds("BUSY_TIMEOUT"),
  livepatchKernel: choice("LIVEPATCH_KERNEL", ["auto", "always", "never"]),
  crashGuardMs: seconds("CRASH_GUARD"),
};
const fields = Object.keys(settings) as readonly (keyof Policy)[];

/** One value that is in force. */
export interface ConfigEntry {
  readonly key: string;
  /** As it would stand in the file. */
  readonly value: string;
  /** The line of the file that says so; null where it is the default. */
  readonly line: number | null;
}

/** A line that changes nothing, or with line 0 a file that cannot be read. */
export interface ConfigProblem {
  readonly line: number;
  readonly message: string;
}

export interface Config {
  readonly policy: Policy;
  readonly entries: readonly ConfigEntry[];
  readonly problems: readonly ConfigProblem[];
}

/** The policy in force, with all that is wrong in its file. */
export function readConfig(system: System): Config {
  let text = "";
  const problems: ConfigProblem[] = [];
  try {
    text = decodeUtf8(system.readBytes(configFile, limitBytes));
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
    if (error.code !== "ENOENT") {
      problems.push({ line: 0, message: t`it cannot be read (${error.code}); all defaults stay in force` });
    }
  }
  const config = parseConfig(text);
  return { ...config, problems: [...problems, ...config.problems] };
}

/** A line on the standard error output for each thing that is wrong in the file, and one of what to do about it. */
export function problemText(problems: readonly ConfigProblem[]): string {
  const lines = problems.map(({ line, message }) => {
    const place = line === 0 ? configFile : `${configFile}:${line}`;
    return `kgr: ${place}: ${printable(message)}\n`;
  });
  return problems.length === 0
    ? ""
    : `${lines.join("")}     ${t`mend that file, and look with: kgr config`}\n`;
}

/** Reads the text of a policy file; of two lines with one key the last one counts, as a shell would have it. */
export function parseConfig(text: string): Config {
  const policy: { -readonly [Field in keyof Policy]: Policy[Field] } = { ...defaultPolicy };
  const lines = new Map<keyof Policy, number>();
  const problems: ConfigProblem[] = [];
  for (const [at, content] of text.split("\n").entries()) {
    const line = content.trim();
    if (line !== "" && !line.startsWith("#")) {
      const outcome = applyLine(policy, line);
      if ("message" in outcome) {
        problems.push({ line: at + 1, message: outcome.message });
      } else {
        lines.set(outcome.field, at + 1);
      }
    }
  }
  const entries = fields.map((field) => entryOf(field, policy, lines.get(field) ?? null));
  return { policy, entries, problems };
}

type Outcome = { readonly field: keyof Policy } | { readonly message: string };

function applyLine(policy: Policy, line: string): Outcome {
  const [, key, written] = /^([A-Z_]+)=(.*)$/s.exec(line) ?? [];
  if (key === undefined || written === undefined) {
    return { message: t`found ${JSON.stringify(line.slice(0, 60))}, wanted KEY=value` };
  }
  const field = fields.find((candidate) => settings[candidate].key === key);
  if (field === undefined) {
    return { message: t`there is no setting ${key}` };
  }
  return applyValue(policy, field, unquote(written));
}

function applyValue<Field extends keyof Policy>(
  policy: { [Key in Field]: Policy[Key] },
  field: Field,
  text: string,
): Outcome {
  const { key, wanted, read } = settings[field];
  const value = read(text);
  if (value === null) {
    const kept = entryOf(field, policy, null).value;
    return {
      message: t`${key} is ${JSON.stringify(text.slice(0, 60))}, wanted ${translate(wanted)}; ${key}=${kept} stays in force`,
    };
  }
  policy[field] = value;
  return { field };
}

function entryOf<Field extends keyof Policy>(
  field: Field,
  policy: { readonly [Key in Field]: Policy[Key] },
  line: number | null,
): ConfigEntry {
  const { key, show } = settings[field];
  return { key, value: show(policy[field]), line };
}

/** `"a"`, `'a'` or `a`, and a comment behind it; nothing is expanded. */
function unquote(written: string): string {
  const [, double, single, plain] =
    /^(?:"([^"]*)"|'([^']*)'|([^\s"'#]*))(?:\s+#.*)?\s*$/s.exec(written) ?? [];
  return double ?? single ?? plain ?? written;
}

function choice<Word extends string>(key: string, words: readonly Word[]): Setting<Word> {
  return {
    key,
    wanted: words.join(", "),
    read: (text) => words.find((word) => word === text) ?? null,
    show: (value) => value,
  };
}

function yesOrNo(key: string): Setting<boolean> {
  const { wanted, read } = choice(key, ["yes", "no"]);
  return {
    key,
    wanted,
    read: (text) => (read(text) === null ? null : text === "yes"),
    show: (value) => (value ? "yes" : "no"),
  };
}

function seconds(key: string): Setting<number> {
  return {
    key,
    wanted: n`seconds from 0 to 86400`,
    read: (text) =>
      /^\d+(\.\d+)?$/.test(text) && Number(text) <= longestSeconds ? Number(text) * 1000 : null,
    show: (value) => String(value / 1000),
  };
}

/** Taint flags, Documentation/admin-guide/tainted-kernels.rst. */
function letters(key: string): Setting<string> {
  return {
    key,
    wanted: n`capital letters or nothing`,
    read: (text) => (/^[A-Z]*$/.test(text) ? text : null),
    show: (value) => value,
  };
}
