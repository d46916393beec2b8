/**
 * The `.lifecycle` files of zypper's lifecycle plugin (SUSE/zypper-lifecycle): comma-separated values, comments behind
 * `#`, blanks around values without meaning. The same lines mean the same to the plugin and to kgr; what the plugin
 * would stumble over (a line without a version, a day that it cannot read) is refused here too, and in addition whatever
 * is too large to be such a file.
 */
import type { Lifecycle, LifecycleLine } from "@kgraft/contract";
import { secondsOfDay } from "./days.ts";
import { BadLifecycleData } from "./errors.ts";

const longestText = 16 << 20;
const longestField = 512;
const hint = "a line is: name,version,YYYY-MM-DD[,successor]";

/** Lifecycle data as a `.lifecycle` file: a line for each name that a kernel's live patches come under. */
export function lifecycleText({ kernels }: Lifecycle): string {
  const lines = kernels.flatMap(({ packages, until }) => packages.map((name) => `${name}, *, ${until}`));
  return `# Until when live patches are made for each kernel: name, version, date (UTC).
# For zypper lifecycle and kgr lifecycle; lifecycle.json says the same.
${lines.map((line) => `${line}\n`).join("")}`;
}

/** Reads a `.lifecycle` file. @param path for messages @throws BadLifecycleData */
export function parseLifecycleText(text: string, path: string): readonly LifecycleLine[] {
  if (text.length > longestText) {
    const found = `it has ${text.length} characters, wanted at most ${longestText}`;
    throw new BadLifecycleData(`cannot read ${path}: ${found}`, hint);
  }
  return text.split(/\r?\n/).flatMap((line, at) => {
    return line.trim() === "" || /^\s*#/.test(line) ? [] : [parseLine(line, `${path}:${at + 1}`)];
  });
}

function parseLine(line: string, place: string): LifecycleLine {
  const [name = "", version = "", until = "", successor = ""] = fieldsOf(line, place);
  const refuse = (found: string): never => {
    throw new BadLifecycleData(`cannot read ${place}: ${found}`, hint);
  };
  if (name === "" || version === "") {
    return refuse(`${name === "" ? "the name" : "the version"} is missing`);
  }
  if (until === "" ? successor === "" : secondsOfDay(until) === null) {
    return refuse(`the date is ${JSON.stringify(until)}, wanted YYYY-MM-DD`);
  }
  return {
    name,
    version,
    until: until === "" ? null : until,
    successor: successor === "" ? null : successor,
  };
}

/** RFC 4180: a field with a comma in it stands between quotation marks, and a doubled one is one. */
function fieldsOf(line: string, place: string): readonly string[] {
  const fields: string[] = [];
  const field = /\s*(?:"((?:[^"]|"")*)"\s*|([^",]*))(,|$)/y;
  for (let more = true; more;) {
    const [, quoted, plain = "", end] = field.exec(line) ?? [];
    const value = (quoted?.replaceAll('""', '"') ?? plain).trim();
    if (end === undefined || value.length > longestField) {
      const found =
        end === undefined
          ? "quotation marks do not stand around a whole value"
          : `a value has ${value.length} characters, wanted at most ${longestField}`;
      throw new BadLifecycleData(`cannot read ${place}: ${found}`, hint);
    }
    fields.push(value);
    more = end === ",";
  }
  return fields;
}
