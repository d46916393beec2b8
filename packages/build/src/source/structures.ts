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

/** What a hidden member's name begins with. */
export const hiddenPrefix = "kgraft_was_";

/**
 * The patched text with every structure and union that the original defines too as the original has it, but with the
 * `hidden` members under other names. What only one of both defines stays as it is, and so does a name that is defined
 * a different number of times in each.
 */
export function keepStructures(
  original: string,
  patched: string,
  hidden: ReadonlyMap<string, unknown> = new Map(),
): string {
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
    .reduce((text, { definition, was }) => {
      const [is, had] = [text.slice(definition.start, definition.end), original.slice(was.start, was.end)];
      if (is === had) return text;
      const hiding = had.replaceAll(/\b\w+\b/g, (word) => (hidden.has(word) ? hiddenPrefix + word : word));
      return text.slice(0, definition.start) + hiding + text.slice(definition.end);
    }, patched);
}

/**
 * Members that code may not touch where the structures stay as they were: new ones, and those of another type. Each
 * with the structures that it is a member of.
 */
export function touchedMembers(original: string, patched: string): Map<string, string[]> {
  const was = Map.groupBy(definitions(original), ({ name }) => name);
  const touched = new Map<string, string[]>();
  for (const definition of definitions(patched)) {
    const before = (was.get(definition.name) ?? []).map((one) => declarations(original, one));
    // A structure that is new altogether is the change's own affair.
    if (before.length === 0) continue;
    for (const [name, declaration] of declarations(patched, definition)) {
      if (!before.some((one) => one.get(name) === declaration))
        touched.set(name, [...(touched.get(name) ?? []), definition.name]);
    }
  }
  return touched;
}

/** What each member of a definition is declared as, inner structures' members among them. */
function declarations(text: string, { start, end }: Definition): Map<string, string> {
  const body = text
    .slice(text.indexOf("{", start) + 1, end)
    .replaceAll(/\/\*[^]*?\*\/|\/\/[^\n]*|^[ \t]*#(?:\\\r?\n|[^\n])*/gm, " ");
  return new Map(body.split(/[;{}]/).flatMap(declarators));
}

/** `int a, *b[2]` declares `a` as `int a` and `b` as `int *b[2]`. */
function declarators(declaration: string): [name: string, declared: string][] {
  const plain = declaration
    .replaceAll(/\b__\w+(?:\s*\([^)]*\))?/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  const pointer = /\(\s*\*\s*(\w+)/.exec(plain)?.[1];
  if (pointer !== undefined) return [[pointer, plain]];
  const [first = "", ...others] = plain.split(",").map((piece) => piece.trim());
  const last = /[*\s]*\b\w+\s*(?:\[[^\]]*\]\s*)*(?::\s*\w+\s*)?$/.exec(first)?.[0] ?? "";
  const type = first.slice(0, first.length - last.length);
  return [last.trim(), ...others].flatMap((declarator): [string, string][] => {
    const name = /\w+/.exec(declarator)?.[0];
    // A word alone is no declaration but the beginning of an inner structure, or a bit field without a name.
    return name === undefined || type === "" ? [] : [[name, `${type} ${declarator}`]];
  });
}

/** What a function calls in the place of its body; no kernel defines it. */
export const unkeptSymbol = "kgraft_needs_new_member";

/**
 * The header with the bodies of the functions that touch such a member replaced by one call, of what nobody defines:
 * units that do not use such a function compile as if it were not there, and in others the call shows that they do.
 */
export function withoutBodies(header: string, members: ReadonlyMap<string, readonly string[]>): string {
  const own = new Set(definitions(header).map(({ name }) => name));
  const isTouched = (name: string, about: string): boolean =>
    members.get(name)?.some(
      (structure) =>
        // `sk_use_task_frag` is a member of one structure, `lock` of many: the function must be about the right one.
        name.includes("_") || own.has(structure) || new RegExp(`\\b${structure}\\b`).test(about),
    ) === true;
  return functionBodies(header)
    .filter(({ start, end }) => {
      const about = header.slice(header.lastIndexOf("\n\n", start) + 1, end);
      const touched = header.slice(start, end).matchAll(/(?:->|\.)\s*(\w+)/g);
      return [...touched].some(([, name = ""]) => isTouched(name, about));
    })
    .toReversed()
    .reduce((text, { start, end }) => {
      // As many lines as before.
      const lines = text.slice(start, end).replaceAll(/[^\n]+/g, "");
      const call = `{ extern void ${unkeptSymbol}(void) __attribute__((__noreturn__)); ${unkeptSymbol}(); }`;
      return text.slice(0, start) + call + lines + text.slice(end);
    }, header);
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
      if (depth === 0 && matched === "{" && /\)\s*$/.test(text.slice(0, match.index).slice(-200)))
        start = match.index;
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
