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
