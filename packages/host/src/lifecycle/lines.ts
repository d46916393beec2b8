/**
 * The `.lifecycle` files of zypper's lifecycle plugin (SUSE/zypper-lifecycle): comma-separated values, comments behind
 * `#`, blanks around values without meaning. A line that cannot be read is told of with its number, and the others are
 * read all the same.
 */
import type { LifecycleLine } from "@kgraft/contract";
import { t } from "../language.ts";
import { secondsOfDay } from "./end.ts";
import { patternOf } from "./pattern.ts";

const longestField = 512;

export interface LifecycleText {
  readonly lines: readonly LifecycleLine[];
  /** What is wrong, such as `line 3: the date is missing`. */
  readonly problems: readonly string[];
}

/** Reads the text of a `.lifecycle` file. @param isWanted leaves out lines of no interest, which saves most of the time */
export function parseLifecycleText(
  text: string,
  isWanted: (content: string) => boolean = () => true,
): LifecycleText {
  const lines: LifecycleLine[] = [];
  const problems: string[] = [];
  for (const [at, content] of text.split("\n").entries()) {
    if (isWanted(content) && content.trim() !== "" && !/^\s*#/.test(content)) {
      const line = parseLine(content);
      if (typeof line === "string") {
        problems.push(t`line ${at + 1}: ${line}`);
      } else {
        lines.push(line);
      }
    }
  }
  return { lines, problems };
}

/** A line, or what is wrong with it. */
function parseLine(content: string): LifecycleLine | string {
  const fields = fieldsOf(content);
  if (fields === null) {
    return t`quotation marks do not stand around a whole value`;
  }
  if (fields.some((field) => field.length > longestField)) {
    return t`a value is longer than ${longestField} characters`;
  }
  const [name = "", version = "", until = "", successor = ""] = fields;
  if (name === "" || version === "") {
    return t`found ${JSON.stringify(content.slice(0, 60))}, wanted NAME,VERSION,DATE`;
  }
  if (until === "" ? successor === "" : secondsOfDay(until) === null) {
    return t`the date is ${JSON.stringify(until)}, wanted YYYY-MM-DD`;
  }
  const bad = [name, version, successor].find((source) => source !== "" && patternOf(source) === null);
  if (bad !== undefined) {
    return t`${JSON.stringify(bad)} cannot be used as a pattern`;
  }
  return {
    name,
    version,
    until: until === "" ? null : until,
    successor: successor === "" ? null : successor,
  };
}

/** RFC 4180: a field with a comma in it stands between quotation marks, and a doubled one is one. */
function fieldsOf(content: string): readonly string[] | null {
  const fields: string[] = [];
  const field = /\s*(?:"((?:[^"]|"")*)"\s*|([^",]*))(,|$)/y;
  for (let more = true; more;) {
    const [, quoted, plain = "", end] = field.exec(content) ?? [];
    if (end === undefined) {
      return null;
    }
    fields.push((quoted?.replaceAll('""', '"') ?? plain).trim());
    more = end === ",";
  }
  return fields;
}
