/** Functions as they are replaced: each with the unlikely part that the compiler split off it. */
import type { Comparison } from "./compare.ts";
import type { Correlation } from "./correlate.ts";
import { parentOf } from "./names.ts";
import type { Part } from "./part.ts";
import type { Parts } from "./parts.ts";

/** A function and its unlikely part: they jump into each other. */
export interface FunctionGroup {
  readonly main: Part;
  readonly parts: readonly Part[];
}

/**
 * All functions, in order. The unlikely part has the name that the compiler knows the function by, which may be any of
 * its names.
 */
export function functionGroups(parts: Parts): FunctionGroup[] {
  const functions = parts.all.filter(({ kind }) => kind === "function");
  const children = Map.groupBy(functions, ({ name }) => parentOf(name ?? ""));
  return (children.get(undefined) ?? []).map((main) => {
    const own = new Set(main.symbols.flatMap(({ name }) => children.get(name) ?? []));
    return { main, parts: [main, ...own] };
  });
}

export function sameGroup(
  after: FunctionGroup,
  before: FunctionGroup,
  correlation: Correlation,
  comparison: Comparison,
): boolean {
  return (
    after.parts.length === before.parts.length &&
    after.parts.every((part) => {
      const was = correlation.originalOf(part);
      return was !== undefined && before.parts.includes(was) && comparison.equal(was, part);
    })
  );
}
