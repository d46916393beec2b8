/**
 * Changed functions that cannot be redirected (`inline` functions that the compiler did not inline are notrace). Where
 * such a function is static and only ever called, its callers are replaced instead, though they did not change: their
 * replacements call the changed copy, which the live patch carries. A caller that cannot be redirected either passes
 * it on to its own.
 */
import { STB_LOCAL } from "@kgraft/elf";
import type { Correlation } from "./correlate.ts";
import { type FunctionGroup, functionGroups } from "./groups.ts";
import { isCode, isIgnored, isInit, type Part } from "./part.ts";
import type { Parts, Reference } from "./parts.ts";
import { isLeftOut, isTraced } from "./patchability.ts";
import { isSpecial } from "./special-tables.ts";
import type { LinkTarget } from "./target.ts";

export interface Replacements {
  /** Functions to be redirected; of those that cannot be it is said why later. */
  readonly changed: readonly FunctionGroup[];
  readonly added: readonly FunctionGroup[];
  /** Changed functions that only their replaced callers reach. */
  readonly carriedByCallers: readonly FunctionGroup[];
}

/** A unit before and after the change. */
export interface Unit {
  readonly before: Parts;
  readonly after: Parts;
  readonly correlation: Correlation;
  readonly target: LinkTarget;
}

export function replaceable(
  { changed, added }: Pick<Replacements, "changed" | "added">,
  unit: Unit,
): Replacements {
  const { before, after, correlation, target } = unit;
  const known = new Map([...changed, ...added].map((group) => [group.main, group]));
  const groups = functionGroups(after).map((group) => known.get(group.main) ?? group);
  const groupsBefore = functionGroups(before);
  const replaced = new Set(changed);
  const carriedByCallers = new Set<FunctionGroup>();
  // A set is gone through to its end, with what is added on the way.
  for (const group of replaced) {
    const original = correlation.originalOf(group.main);
    if (original === undefined || isInit(original) || isTraced(original, before)) continue;
    const callers = callersOf(group, groups, after);
    if (callers === undefined || callers.length === 0) continue;
    // Whoever took its address before may hold it still.
    const was = groupsBefore.find(({ main }) => main === original);
    if (was === undefined || callersOf(was, groupsBefore, before) === undefined) continue;
    carriedByCallers.add(group);
    for (const caller of callers) {
      const isRunning = correlation.originalOf(caller.main) !== undefined;
      if (isRunning && !isInit(caller.main) && !isLeftOut(caller.main, target)) replaced.add(caller);
    }
  }
  return {
    changed: [...replaced].filter((group) => !carriedByCallers.has(group)),
    added,
    carriedByCallers: [...carriedByCallers],
  };
}

/** The functions that call it; undefined where something else may. */
function callersOf(
  group: FunctionGroup,
  groups: readonly FunctionGroup[],
  parts: Parts,
): FunctionGroup[] | undefined {
  const main = group.main.symbols.find(({ name }) => name === group.main.name);
  if (main === undefined || main.binding !== STB_LOCAL) return undefined;
  const callers = new Set<FunctionGroup>();
  for (const from of parts.all) {
    if (isSpecial(from.section) || isIgnored(from.section) || group.parts.includes(from)) continue;
    for (const reference of parts.references(from)) {
      if (!leadsTo(reference, group)) continue;
      const caller = groups.find((candidate) => candidate.parts.includes(from));
      if (caller === undefined || !isCall(from, reference, parts)) return undefined;
      callers.add(caller);
    }
  }
  return [...callers];
}

function leadsTo({ target }: Reference, group: FunctionGroup): boolean {
  return target.kind === "part" && group.parts.includes(target.part);
}

function isCall(from: Part, { relocation }: Reference, { architecture }: Parts): boolean {
  return isCode(from.section) && architecture.isBranch(from.section.data, relocation.offset, relocation.type);
}
