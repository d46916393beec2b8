/**
 * Which of the units that can be carried can be linked together. A unit may call what the update gives to another one;
 * where that one stays behind, it stays behind too, and so do those that need it in turn. Where the update gives a
 * function other parameters or another result, it goes with all that call it, or not at all.
 */
import type { PatchedDelta, ShippedKernel, UnitDelta, UnitReason } from "@kgraft/build";
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
  const reshaped = new Map(
    units.flatMap(({ unit, deltas }) => deltas.flatMap(reshapedNames).map((name) => [name, unit] as const)),
  );
  for (let size = -1; size !== carried.size;) {
    size = carried.size;
    const defined = new Set([...carried.values()].flat().flatMap(definedNames));
    const left = units.filter(({ unit }) => !carried.has(unit));
    for (const [unit, deltas] of carried) {
      const reasons = [
        ...deltas
          .flatMap((delta) => missingNames(delta, defined, kernel))
          .map((name) => missing(unit, name, homes, kernel)),
        ...calledOtherwise(unit, deltas, reshaped, left),
      ];
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

function reshapedNames(delta: UnitDelta): readonly string[] {
  return delta.kind === "unchanged" ? [] : (delta.reshaped ?? []);
}

/** What a unit uses of others, by the names that these have. */
function usedNames(delta: UnitDelta): readonly string[] {
  if (delta.kind !== "patched") return delta.kind === "refused" ? (delta.uses ?? []) : [];
  const { object, livepatchReferences } = delta;
  return object.symbols.flatMap((symbol) =>
    symbol.place.kind === "undefined" ? [livepatchReferences.get(symbol)?.name ?? symbol.name] : [],
  );
}

/** Functions that one side would call, and the other be called, as before. */
function calledOtherwise(
  unit: string,
  deltas: readonly PatchedDelta[],
  reshaped: ReadonlyMap<string, string>,
  left: readonly ComparedUnit[],
): UnitReason[] {
  const own = new Set(deltas.flatMap(reshapedNames));
  const used = new Set(deltas.flatMap(usedNames));
  return left.flatMap((other): UnitReason[] => {
    const names = [
      ...new Set([
        ...other.deltas.flatMap(usedNames).filter((name) => own.has(name)),
        ...[...used].filter((name) => reshaped.get(name) === other.unit),
      ]),
    ];
    return names.map((name) => ({
      code: "needs-unit",
      unit,
      subject: name,
      message: `${name} has other parameters or another result in the update, and ${other.unit} on the other side cannot be carried`,
      hint: `carry ${other.unit} with an author's help`,
    }));
  });
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

/**
 * The deltas of one unit, of those whose new functions it calls, and of those that it calls or that call it otherwise
 * than before; these units' own needs included.
 */
export function neededBy(unit: string, deltas: readonly PatchedDelta[]): PatchedDelta[] {
  const byUnit = Map.groupBy(deltas, (delta) => delta.unit);
  const reshaped = new Map(
    deltas.flatMap((delta) => reshapedNames(delta).map((name) => [name, delta.unit] as const)),
  );
  const callers = new Map<string, string[]>();
  for (const delta of reshaped.size === 0 ? [] : deltas) {
    for (const name of usedNames(delta)) {
      const home = reshaped.get(name);
      if (home === undefined || home === delta.unit) continue;
      callers.set(home, [...(callers.get(home) ?? []), delta.unit]);
      callers.set(delta.unit, [...(callers.get(delta.unit) ?? []), home]);
    }
  }
  const homes = new Map(
    deltas.flatMap((delta) => definedNames(delta).map((name) => [name, delta.unit] as const)),
  );
  const needed = new Set([unit]);
  // A set is gone through to its end, with what is added on the way.
  for (const one of needed) {
    for (const other of callers.get(one) ?? []) needed.add(other);
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
