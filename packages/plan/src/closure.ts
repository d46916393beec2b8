/**
 * Which of the units that can be carried can be linked together. A unit may call what the update gives to another one;
 * where that one stays behind, it stays behind too, and so do those that need it in turn.
 */
import type { PatchedDelta, ShippedKernel, UnitReason } from "@kgraft/build";
import type { ComparedUnit } from "./plan.ts";

export interface Linkable {
  /** Deltas of the units that find all that they refer to. */
  readonly carried: ReadonlyMap<string, readonly PatchedDelta[]>;
  /** Why others do not. */
  readonly stranded: ReadonlyMap<string, readonly UnitReason[]>;
}

export function linkable(units: readonly ComparedUnit[], kernel: Pick<ShippedKernel, "exports">): Linkable {
  const carried = new Map(
    units.flatMap((unit): [string, readonly PatchedDelta[]][] => {
      const patched = unit.deltas.filter((delta) => delta.kind === "patched");
      const isWhole = patched.length > 0 && unit.deltas.every((delta) => delta.kind !== "refused");
      return isWhole ? [[unit.unit, patched]] : [];
    }),
  );
  const stranded = new Map<string, readonly UnitReason[]>();
  const homes = homesOf(units);
  for (let left = -1; left !== carried.size;) {
    left = carried.size;
    const defined = new Set([...carried.values()].flat().flatMap(definedNames));
    for (const [unit, deltas] of carried) {
      const reasons = deltas
        .flatMap((delta) => missingNames(delta, defined, kernel))
        .map((name) => missing(unit, name, homes, kernel));
      if (reasons.length === 0) continue;
      stranded.set(unit, reasons);
      carried.delete(unit);
    }
  }
  return { carried, stranded };
}

/** Which unit gets a name from the update: the one whose new code defines it. */
function homesOf(units: readonly ComparedUnit[]): Map<string, string> {
  return new Map(
    units.flatMap(({ unit, deltas }) =>
      deltas.flatMap((delta) =>
        delta.kind === "patched"
          ? definedNames(delta).map((name): [string, string] => [name, unit])
          : delta.kind === "refused"
            ? (delta.defines ?? []).map((name): [string, string] => [name, unit])
            : [],
      ),
    ),
  );
}

function definedNames({ object }: PatchedDelta): string[] {
  return object.symbols
    .filter(({ place, binding }) => place.kind === "section" && binding !== 0)
    .map(({ name }) => name);
}

function missingNames(
  { object, livepatchReferences }: PatchedDelta,
  defined: ReadonlySet<string>,
  { exports }: Pick<ShippedKernel, "exports">,
): string[] {
  return (
    object.symbols
      .filter(
        (symbol) =>
          symbol.place.kind === "undefined" && !livepatchReferences.has(symbol) && !defined.has(symbol.name),
      )
      .map(({ name }) => name)
      // What a module exports would have to be loaded with the live patch of the whole kernel.
      .filter((name) => exports.get(name)?.object !== "vmlinux")
  );
}

function missing(
  unit: string,
  name: string,
  homes: ReadonlyMap<string, string>,
  { exports }: Pick<ShippedKernel, "exports">,
): UnitReason {
  const exporter = exports.get(name)?.object;
  if (exporter !== undefined) {
    return {
      code: "needs-module",
      unit,
      subject: name,
      message: `${name} is module ${exporter}'s, which the patched module does not need so far`,
      hint: "patch it apart from the rest, where that module is loaded",
    };
  }
  const home = homes.get(name);
  return {
    code: "needs-unit",
    unit,
    subject: name,
    message:
      home === undefined
        ? `${name} is new, and no unit that is carried defines it`
        : `${name} is new in ${home}, which cannot be carried`,
    hint:
      home === undefined
        ? "see the reasons of the unit that defines it"
        : `carry ${home} with an author's help`,
  };
}

/** The deltas of one unit, and of those whose new functions it calls, these units' own needs included. */
export function neededBy(unit: string, deltas: readonly PatchedDelta[]): PatchedDelta[] {
  const byUnit = Map.groupBy(deltas, (delta) => delta.unit);
  const homes = new Map(
    deltas.flatMap((delta) => definedNames(delta).map((name) => [name, delta.unit] as const)),
  );
  const needed = new Set([unit]);
  // A set is gone through to its end, with what is added on the way.
  for (const one of needed) {
    for (const { object, livepatchReferences } of byUnit.get(one) ?? []) {
      for (const symbol of object.symbols) {
        const home =
          symbol.place.kind === "undefined" && !livepatchReferences.has(symbol)
            ? homes.get(symbol.name)
            : undefined;
        if (home !== undefined) needed.add(home);
      }
    }
  }
  return [...needed].flatMap((one) => byUnit.get(one) ?? []);
}
