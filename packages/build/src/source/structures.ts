/**
 * Definitions of structures in C text. A fix that adds a member to a structure moves the members after it, but what
 * the running kernel has allocated keeps its layout: where the replaced code does not touch what is new, it is
 * compiled with the structure as it was.
 */

/** A definition from its keyword to its closing brace; what follows (attributes, variables) is not part of it. */
interface Definition {
  /** `struct name` or `union name`. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * The patched text with every structure and union that the original defines too as the original has it. What only
 * one of both defines stays as it is, and so does a name that is defined a different number of times in each.
 */
export function keepStructures(original: string, patched: string): string {
  const before = Map.groupBy(definitions(original), ({ name }) => name);
  const after = Map.groupBy(definitions(patched), ({ name }) => name);
  const kept = [...after].flatMap(([name, now]) => {
    const was = before.get(name) ?? [];
    return was.length === now.length
      ? now.map((definition, index) => ({ definition, was: was[index]! }))
      : []; // equally long
  });
  return kept
    .toSorted((a, b) => b.definition.start - a.definition.start)
    .reduce(
      (text, { definition, was }) =>
        text.slice(0, definition.start) + original.slice(was.start, was.end) + text.slice(definition.end),
      patched,
    );
}

/** Members that a structure of the patched text has and its original does not, by their names alone. */
export function newMembers(original: string, patched: string): Set<string> {
  const was = new Set(definitions(original).flatMap(({ start, end }) => names(original.slice(start, end))));
  return new Set(
    definitions(patched).flatMap(({ start, end }) => names(patched.slice(start, end))),
  ).difference(was);
}

/** What a function calls in the place of its body; no kernel defines it. */
export const unkeptSymbol = "kgraft_needs_new_member";

/**
 * The header with the bodies of the functions that touch such a member replaced by one call, of what nobody defines:
 * units that do not use such a function compile as if it were not there, and in others the call shows that they do.
 */
export function withoutBodies(header: string, members: ReadonlySet<string>): string {
  return functionBodies(header)
    .filter(({ start, end }) => {
      const touched = header.slice(start, end).matchAll(/(?:->|\.)\s*(\w+)/g);
      return [...touched].some(([, name]) => members.has(name ?? ""));
    })
    .toReversed()
    .reduce((text, { start, end }) => {
      // As many lines as before.
      const lines = text.slice(start, end).replaceAll(/[^\n]+/g, "");
      const call = `{ extern void ${unkeptSymbol}(void) __attribute__((__noreturn__)); ${unkeptSymbol}(); }`;
      return text.slice(0, start) + call + lines + text.slice(end);
    }, header);
}

function names(text: string): string[] {
  return text.match(/\b[A-Za-z_]\w*\b/g) ?? [];
}

/** Braces with what is between them, of each function that is defined. */
function functionBodies(text: string): { readonly start: number; readonly end: number }[] {
  const bodies: { start: number; end: number }[] = [];
  let depth = 0;
  let start: number | undefined;
  for (const match of text.matchAll(token)) {
    const [matched] = match;
    if (matched.endsWith("{") && (matched === "{" || match[1] !== undefined)) {
      // A function's brace follows its parameters.
      if (depth === 0 && /\)\s*$/.test(text.slice(0, match.index).slice(-200))) start = match.index;
      depth++;
    } else if (matched === "}") {
      depth--;
      if (depth > 0 || start === undefined) continue;
      bodies.push({ start, end: match.index + 1 });
      start = undefined;
    }
  }
  return bodies;
}

/** Comments, strings, the line of a directive with those it goes on in, names, and braces. */
const token =
  /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'|^[ \t]*#(?:\\\r?\n|[^\n])*|\b(?:struct|union)\s+(\w+)\s*\{|[{}]/gm;

/** The outermost definitions, in the order of the text. */
function definitions(text: string): Definition[] {
  const found: Definition[] = [];
  let open: { readonly name: string; readonly start: number; readonly depth: number } | undefined;
  let depth = 0;
  for (const match of text.matchAll(token)) {
    const [matched, name] = match;
    if (matched.endsWith("{") && (matched === "{" || name !== undefined)) {
      if (name !== undefined)
        open ??= { name: matched.replace(/\s*\{$/, "").replace(/\s+/, " "), start: match.index, depth };
      depth++;
    } else if (matched === "}") {
      depth--;
      if (open === undefined || depth > open.depth) continue;
      found.push({ name: open.name, start: open.start, end: match.index + 1 });
      open = undefined;
    }
  }
  return found;
}
