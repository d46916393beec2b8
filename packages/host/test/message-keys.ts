/** Every message that kgr may say, as its catalogue wants it: read from the sources, where t`...` and n`...` mark them. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";

const sources = path.join(import.meta.dirname, "../src");

/** Keys by the place where they stand, such as `change.ts:36`. */
export function messageKeys(): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  for (const file of globSync("**/*.ts", { cwd: sources })) {
    if (!file.endsWith(".test.ts") && file !== "language.ts") {
      const text = readFileSync(path.join(sources, file), "utf8");
      for (const { at, key } of keysIn(text)) {
        keys.set(key, `${file}:${text.slice(0, at).split("\n").length}`);
      }
    }
  }
  return keys;
}

/** The keys of one source text: `a ${b(c)} d` is `a {0} d`. */
export function keysIn(source: string): readonly { readonly at: number; readonly key: string }[] {
  const found = [];
  for (const { index } of source.matchAll(/(?<=[\s([{])[nt]`/g)) {
    found.push({ at: index, key: keyAt(source, index + 2) });
  }
  return found;
}

function keyAt(source: string, start: number): string {
  let key = "";
  let values = 0;
  for (let at = start; at < source.length; at++) {
    const letter = source[at]!; // below length
    if (letter === "`") {
      return key;
    }
    if (letter === "\\") {
      key += JSON.parse(source[at + 1] === "`" ? '"`"' : `"${source.slice(at, at + 2)}"`) as string;
      at += 1;
    } else if (source.startsWith("${", at)) {
      at = endOfValue(source, at + 2);
      key += `{${values++}}`;
    } else {
      key += letter;
    }
  }
  throw new Error(`no end of the message at ${start}`);
}

/** Where the brace is that closes a value. */
function endOfValue(source: string, start: number): number {
  let depth = 1;
  let at = start;
  for (; depth > 0; at++) {
    depth += source[at] === "{" ? 1 : source[at] === "}" ? -1 : 0;
  }
  return at - 1;
}
