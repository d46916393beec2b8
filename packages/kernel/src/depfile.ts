/**
 * The files that a compilation read, from the make rule that `gcc -MMD` writes (`object: source header ...`,
 * lines continued by a backslash), as paths in the tree: itself first, the others in the order they were read.
 */
export function dependenciesOf(text: string, unit: string, roots: readonly string[]): readonly string[] {
  const words = text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/(?<!\\)\s+/)
    .filter((word) => word !== "" && !word.endsWith(":"));
  const paths = words.map((word) => {
    const path = word.replaceAll("\\ ", " ");
    const root = roots.find((one) => path.startsWith(`${one}/`));
    return normalize(root === undefined ? path : path.slice(root.length + 1));
  });
  return [...new Set([unit, ...paths])];
}

/** `./include/linux/../linux/mm.h` is `include/linux/mm.h`. */
function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "." || (part === "" && parts.length > 0)) continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== ".." && parts.at(-1) !== "") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}
