/** One unit through the build: compiled before and after the change, compared, checked against the shipped kernel. */
import { readFile } from "node:fs/promises";
import { computeDelta, type LivepatchReference, type ReplacedFunction } from "@kgraft/delta";
import { type ElfObject, type ObjectSymbol, STB_LOCAL } from "@kgraft/elf";
import { CompileFailed, type CompiledUnit, type CompileRequest } from "@kgraft/kernel";
import type { UnitReason } from "./errors.ts";
import { checkFidelity } from "./shipped/fidelity.ts";
import { UnitTarget } from "./shipped/link-target.ts";
import { readLoaded } from "./read-loaded.ts";
import {
  changedLayouts,
  changedPrototypes,
  changedVariables,
  keptLayout,
  layoutReason,
  movedEnumerators,
} from "./layouts.ts";
import { unkeptSymbol } from "./source/structures.ts";
import { goneDefinitions, weakNamesOf } from "./source/weak-names.ts";
import type { AffectedUnit } from "./source/units.ts";
import type { ShippedKernel } from "./shipped/shipped-kernel.ts";

/** A unit compiled before and after the change, one section for each symbol. */
export interface ObjectPair extends AffectedUnit {
  readonly original: CompiledUnit;
  readonly patched: CompiledUnit;
}

/** Compiles a unit; the kernel and how many run at once are the caller's affair. */
export type Compile = (request: CompileRequest) => Promise<CompiledUnit>;

export type UnitDelta =
  | {
      readonly kind: "patched";
      readonly unit: string;
      readonly shippedObject: string;
      readonly object: ElfObject;
      readonly functions: readonly ReplacedFunction[];
      readonly added: readonly string[];
      readonly livepatchReferences: ReadonlyMap<ObjectSymbol, LivepatchReference>;
      readonly warnings: readonly UnitReason[];
      /** Its functions that other units are to call otherwise than before. */
      readonly reshaped?: readonly string[];
    }
  | {
      readonly kind: "unchanged";
      readonly unit: string;
      /** Structures that the change moves: the code is the same with them as they were. */
      readonly kept?: readonly UnitReason[];
    }
  | {
      readonly kind: "refused";
      readonly unit: string;
      readonly reasons: readonly UnitReason[];
      /** Functions and variables that the change gives to the unit, for other units to use. */
      readonly defines?: readonly string[];
      /** Its functions that other units are to call otherwise than before. */
      readonly reshaped?: readonly string[];
      /** Names of other units that it uses, and goes on to use as before. */
      readonly uses?: readonly string[];
    };

export type PatchedDelta = Extract<UnitDelta, { kind: "patched" }>;

/** Compiles the unit before the change and after it. */
export async function compilePair(
  affected: AffectedUnit,
  shadowDirectory: string,
  compile: Compile,
): Promise<ObjectPair> {
  const { unit } = affected;
  const [original, patched] = await Promise.all([
    compile({ unit, sections: "split" }),
    compile({ unit, sections: "split", root: shadowDirectory }),
  ]);
  return { ...affected, original, patched };
}

/**
 * What a live patch must carry of the unit, proven against the shipped kernel; or why it cannot. One verdict for each
 * object that the unit is linked into.
 *
 * @param keptDirectory gives the changed tree with the structures as they were, or undefined where the change moves none
 */
export async function computeUnitDeltas(
  kernel: ShippedKernel,
  pair: ObjectPair,
  compile: Compile,
  keptDirectory: () => Promise<string | undefined>,
): Promise<readonly UnitDelta[]> {
  const { unit } = pair;
  const [before, after] = await Promise.all([
    readFile(pair.original.objectPath),
    readFile(pair.patched.objectPath),
  ]);
  // A header that says nothing to this unit leaves it as it was, to the byte.
  if (before.equals(after)) return [{ kind: "unchanged", unit }];
  const original = readLoaded(`${unit} (original)`, before);
  // The original once more, with the distribution's own options: what was shipped can be found in it.
  const { objectPath } = await compile({ unit, sections: "as-shipped" });
  const asShipped = readLoaded(`${unit} (as shipped)`, await readFile(objectPath));
  const shared = new Set(globalNames(original));
  const reshaped = changedPrototypes(unit, before, after).filter((name) => shared.has(name));
  const deltasOf = (patched: ElfObject): UnitDelta[] =>
    pair.objects
      .map((object) => unitDelta(kernel, unit, object, { original, patched, asShipped }))
      .map((delta) => (delta.kind === "unchanged" || reshaped.length === 0 ? delta : { ...delta, reshaped }));
  const patched = readLoaded(`${unit} (patched)`, after);
  const overriding = await leftToWeak(kernel, pair, original, patched);
  const deltas = [...deltasOf(patched), ...overriding];
  if (deltas.every(({ kind }) => kind === "unchanged")) return deltas;
  const retyped = changedVariables(unit, before, after);
  if (retyped.length > 0) return [...deltas, { kind: "refused", unit, reasons: retyped }];
  const shifted = movedEnumerators(unit, before, after);
  const moved = changedLayouts(unit, before, after);
  if (moved.length === 0) return deltas.map((delta) => withWarnings(delta, shifted));
  const reasons = moved.map((change) => layoutReason(unit, change));

  // Code that does not touch what is new of a structure is compiled with the structure as the running kernel has it.
  const root = await keptDirectory();
  const kept = root === undefined ? undefined : await compileKept(unit, root, compile);
  if (kept === undefined || changedLayouts(unit, before, kept).length > 0) {
    return [...deltas, { kind: "refused", unit, reasons }];
  }
  const warnings = [...shifted, ...moved.map((change) => keptLayout(unit, change))];
  const ofKept = deltasOf(readLoaded(`${unit} (patched)`, kept)).map((delta) =>
    delta.kind === "unchanged" ? { ...delta, kept: reasons } : withWarnings(delta, warnings),
  );
  return [...ofKept, ...overriding];
}

/** Definitions that go, and leave their name to another unit's weak one: the kernel's other code would not call that. */
async function leftToWeak(
  { tree }: ShippedKernel,
  { unit, objects }: ObjectPair,
  original: ElfObject,
  patched: ElfObject,
): Promise<UnitDelta[]> {
  const gone = goneDefinitions(original, patched);
  if (gone.length === 0) return [];
  const weak = await Promise.all(objects.map((object) => weakNamesOf(tree, object)));
  const reasons = gone
    .filter((name) => weak.some((names) => [...(names.get(name) ?? [])].some((other) => other !== unit)))
    .map((name) => ({
      code: "moved-symbol",
      unit,
      subject: name,
      message: `${name} of ${unit} would make way for another unit's weak definition: the running kernel has the name bound to this one`,
      hint: "leave the definition where it is, and make it do what the weak one does",
    }));
  return reasons.length === 0 ? [] : [{ kind: "refused", unit, reasons }];
}

function withWarnings(delta: UnitDelta, warnings: readonly UnitReason[]): UnitDelta {
  return delta.kind === "patched" ? { ...delta, warnings: [...delta.warnings, ...warnings] } : delta;
}

/** The changed unit with the structures as they were; undefined where it needs what is new of them. */
async function compileKept(unit: string, root: string, compile: Compile): Promise<Uint8Array | undefined> {
  try {
    const { objectPath } = await compile({ unit, sections: "split", root });
    const bytes = await readFile(objectPath);
    const { symbols } = readLoaded(`${unit} (kept structures)`, bytes);
    return symbols.some(({ name }) => name === unkeptSymbol) ? undefined : bytes;
  } catch (error) {
    if (error instanceof CompileFailed) return undefined;
    throw error;
  }
}

function newGlobals(original: ElfObject, patched: ElfObject): string[] {
  const known = new Set(globalNames(original));
  return globalNames(patched).filter((name) => !known.has(name));
}

function globalNames({ symbols }: ElfObject): string[] {
  return symbols
    .filter(({ binding, place }) => binding !== STB_LOCAL && place.kind === "section")
    .map(({ name }) => name);
}

interface UnitObjects {
  readonly original: ElfObject;
  readonly patched: ElfObject;
  readonly asShipped: ElfObject;
}

function unitDelta(kernel: ShippedKernel, unit: string, object: string, objects: UnitObjects): UnitDelta {
  const { original, patched, asShipped } = objects;
  const shipped = kernel.object(object);
  if (shipped === undefined) {
    const message = `${unit} belongs to ${object}, and the distribution ships no module of that name`;
    return { kind: "refused", unit, reasons: [{ code: "not-shipped", unit, subject: object, message }] };
  }
  const target = new UnitTarget(kernel, shipped, asShipped);
  const verdict = computeDelta(original, patched, target);
  switch (verdict.kind) {
    case "unchanged":
      return { kind: "unchanged", unit };
    case "refused":
      return {
        kind: "refused",
        unit,
        reasons: verdict.reasons.map((reason) => ({ ...reason, unit })),
        defines: newGlobals(original, patched),
        uses: original.symbols.flatMap(({ name, place }) => (place.kind === "undefined" ? [name] : [])),
      };
    case "patched": {
      const unfaithful = verdict.functions.flatMap(({ name }) =>
        checkFidelity(unit, name, asShipped, shipped, target),
      );
      if (unfaithful.length > 0) return { kind: "refused", unit, reasons: unfaithful };
      const warnings = verdict.warnings.map((reason) => ({ ...reason, unit }));
      return { ...verdict, unit, shippedObject: shipped.name, warnings };
    }
  }
}
