/**
 * Keeps `__LINE__` where it was. A fix that adds two lines at the top of a file moves every WARN_ON() below it, and
 * each of those compiles its line number into the code: without care, a hundred functions look changed. So the patched
 * text says `#line` after each change, and unchanged code keeps the numbers that it had in the original.
 *
 * A directive may stand only where a line begins afresh: not inside a comment or string, not in the middle of a macro
 * definition that goes on with a backslash, and not among the arguments of a macro call. Where a change ends in such a
 * place, the directive waits for the next line where it may stand.
 * Source of the idea: scripts/livepatch/fix-patch-lines of Linux 6.19; directive: ISO C11, 6.10.4.
 */
import { diffArrays } from "diff";

/** The patched text with `#line` directives, so that what is unchanged keeps its line numbers. */
export function keepLineNumbers(original: string, patched: string): string {
  const before = original.split("\n");
  const after = patched.split("\n");
  const canStand = freshLines(after);
  const output: string[] = [];
  let at = 0; // next line of `after`
  let originalLine = 1; // number that line had, where it is unchanged
  let shift = 0; // how many lines the compiler counts too many
  for (const change of diffArrays(before, after)) {
    if (change.removed) {
      originalLine += change.count;
      shift -= change.count;
      continue;
    }
    for (let line = 0; line < change.count; line++, at++) {
      if (!change.added && shift !== 0 && canStand[at] === true) {
        output.push(`#line ${originalLine}`);
        shift = 0;
      }
      output.push(after[at] ?? "");
      if (!change.added) originalLine++;
    }
    if (change.added) shift += change.count;
  }
  return output.join("\n");
}

/** For each line whether a directive may stand before it: outside of comments, macro definitions and parentheses. */
export function freshLines(lines: readonly string[]): boolean[] {
  const fresh: boolean[] = [];
  let state: State = { inComment: false, depth: 0, directive: false };
  for (const [index, line] of lines.entries()) {
    const continued = index > 0 && (lines[index - 1]?.endsWith("\\") ?? false);
    fresh.push(!state.inComment && !continued && state.depth === 0);
    state = scan(line, {
      ...state,
      directive: continued ? state.directive : /^\s*#/.test(line) && !state.inComment,
    });
  }
  return fresh;
}

interface State {
  readonly inComment: boolean;
  /** Open parentheses. */
  readonly depth: number;
  /** Whether the line is part of a directive, whose parentheses are its own affair. */
  readonly directive: boolean;
}

const token = /\/\*|\*\/|\/\/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[()]/g;

function scan(line: string, state: State): State {
  let { inComment, depth } = state;
  for (const [found] of line.matchAll(token)) {
    if (inComment) inComment = found !== "*/";
    else if (found === "/*") inComment = true;
    else if (found === "//") break;
    else if (!state.directive && found === "(") depth++;
    else if (!state.directive && found === ")") depth = Math.max(0, depth - 1);
  }
  return { ...state, inComment, depth };
}
