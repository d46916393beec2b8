/**
 * The delta of one unit: what a source change did to its object, and what a live patch must therefore carry.
 * Source of the idea: Ksplice (EuroSys 2009), "pre-post differencing" at the object level, function by function.
 */
import { type ElfObject, ElfFormatError, type ObjectSymbol, STB_LOCAL } from "@kgraft/elf";
import { architectureOf, knownMachines } from "./arch/architecture.ts";
import { replaceable, type Unit } from "./callers.ts";
import { Comparison } from "./compare.ts";
import { correlate, type Correlation } from "./correlate.ts";
import { type FunctionGroup, functionGroups, sameGroup } from "./groups.ts";
import type { LivepatchReference } from "./klp.ts";
import { changedLabels, labelTables, sharedLabels } from "./labels.ts";
import { movedSymbols } from "./moved-symbols.ts";
import { Output } from "./output.ts";
import { describe, isDeclaration, isInit, type Part } from "./part.ts";
import { Parts } from "./parts.ts";
import {
  changedCommons,
  changedData,
  changedSections,
  isLeftOut,
  threadFunction,
  unreplaceable,
  unsplitCode,
} from "./patchability.ts";
import { ambiguousPlaces } from "./places.ts";
import type { Reason } from "./reasons.ts";
import { withConstantsLoaded } from "./runtime-constants.ts";
import { sealedAddresses } from "./sealed.ts";
import { Selection } from "./select.ts";
import { Special } from "./special.ts";
import type { LinkTarget } from "./target.ts";
import { changedUnreached } from "./unreached.ts";

export type Verdict =
  /** The change is in functions, and `object` carries them; `functions` is empty where all of them are new. */
  | {
      readonly kind: "patched";
      readonly object: ElfObject;
      readonly functions: readonly ReplacedFunction[];
      /** Functions that are new, by name. */
      readonly added: readonly string[];
      /** Undefined symbols of `object` that only the livepatch core can resolve. */
      readonly livepatchReferences: ReadonlyMap<ObjectSymbol, LivepatchReference>;
      readonly warnings: readonly Reason[];
    }
  /** No function does anything else than before. */
  | { readonly kind: "unchanged" }
  /** Something changed that no live patch can bring about; every reason is given. */
  | { readonly kind: "refused"; readonly reasons: readonly Reason[] };

export interface ReplacedFunction {
  /** Name in the running kernel. */
  readonly name: string;
  /** Which of several of that name, 0 where it is the only one. */
  readonly sympos: number;
  /** The replacement in the verdict's object. */
  readonly symbol: ObjectSymbol;
  readonly originalSizeBytes: number;
  readonly replacementSizeBytes: number;
}

/**
 * Compares two objects of one unit, compiled before and after the change by the same compiler with one section per
 * symbol.
 *
 * @throws {ElfFormatError} when the two are not for one known processor
 */
export function computeDelta(original: ElfObject, patched: ElfObject, target: LinkTarget): Verdict {
  const architecture = architectureOf(original.machine);
  if (architecture === undefined || patched.machine !== original.machine) {
    throw new ElfFormatError(
      `cannot compare ${original.name} with ${patched.name}: machines are ${original.machine} and ${patched.machine}, wanted ${knownMachines} for both`,
    );
  }
  const loadable = (object: ElfObject): ElfObject => withConstantsLoaded(object, architecture, target);
  // 1. Cut both objects into parts, and read the tables about them.
  const before = new Parts(loadable(original), architecture, target.typeSizes);
  const after = new Parts(loadable(patched), architecture, target.typeSizes);
  const specialBefore = new Special(before, target.typeSizes);
  const specialAfter = new Special(after, target.typeSizes);

  // 2. Find out which part continues which, and compare those.
  const correlation = correlate(before, after);
  const comparison = new Comparison(
    { parts: before, special: specialBefore },
    { parts: after, special: specialAfter },
    correlation,
  );
  const { changed, added, carriedByCallers } = replaceable(
    changedFunctions(before, after, correlation, comparison, target),
    { before, after, correlation, target },
  );

  // 3. Look for what cannot be carried.
  const announced = changedSections(before, after, comparison);
  const reasons: Reason[] = [
    ...specialBefore.reasons,
    ...specialAfter.reasons,
    ...changedData(before, after, correlation, comparison),
    ...changedCommons(before, after),
    ...changedLabels(before, after, comparison),
    ...changedUnreached(before, after, comparison),
    ...movedSymbols(before, after, correlation, target),
    ...announced.reasons,
    ...changed.flatMap(({ main }) => unreplaceable(correlation.originalOf(main)!, before)), // changed ones have an original
    ...sharedLabels(changed.flatMap(({ parts }) => parts)),
  ];
  const declared = after.all.filter(isDeclaration);
  if (changed.length + added.length + declared.length + reasons.length === 0) return { kind: "unchanged" };
  const unsplit = [...unsplitCode(before), ...unsplitCode(after)];
  if (unsplit.length > 0) return { kind: "refused", reasons: unsplit };

  // 4. Select what the patch carries, and write it as an object.
  const selection = new Selection(after, specialAfter, correlation, comparison, [
    ...declared,
    ...[...changed, ...carriedByCallers, ...added].flatMap(({ parts }) => parts),
  ]);
  const output = new Output(
    patched.name,
    after,
    selection,
    target,
    (part) => correlation.originalOf(part) === undefined,
  );
  const functions: ReplacedFunction[] = [];
  for (const { main } of changed) {
    const replaced = replacedFunction(main, correlation.originalOf(main)!, target, output); // as above
    if ("code" in replaced) reasons.push(replaced);
    else functions.push(replaced);
  }
  const places = misledPlaces(selection, { before, after, correlation, target });
  reasons.push(...selection.reasons, ...output.reasons, ...places);
  const threads = changed.flatMap(({ main }) => threadFunction(correlation.originalOf(main)!, before)); // as above
  if (reasons.length > 0) return { kind: "refused", reasons: uniqueReasons(reasons) };
  return {
    kind: "patched",
    object: output.object,
    functions,
    added: added.map(({ main }) => describe(main)),
    livepatchReferences: output.livepatchReferences,
    warnings: uniqueReasons([...announced.warnings, ...output.warnings, ...threads]),
  };
}

/** Places that something knows, and which the live patch would have elsewhere or not let be reached. */
function misledPlaces(selection: Selection, { before, after, correlation, target }: Unit): Reason[] {
  return [
    ...ambiguousPlaces(selection.parts, after, correlation),
    ...labelTables(after, selection.parts),
    ...sealedAddresses(selection, before, after, target),
  ];
}

/** A function may meet the same obstacle at many places, and both objects have the same tables: it is said once. */
function uniqueReasons(reasons: readonly Reason[]): Reason[] {
  return [...new Map(reasons.map((reason) => [reason.message, reason])).values()];
}

function changedFunctions(
  before: Parts,
  after: Parts,
  correlation: Correlation,
  comparison: Comparison,
  target: LinkTarget,
): { changed: FunctionGroup[]; added: FunctionGroup[] } {
  const changed: FunctionGroup[] = [];
  const added: FunctionGroup[] = [];
  const originals = new Map(functionGroups(before).map((group) => [group.main, group]));
  for (const group of functionGroups(after)) {
    const was = correlation.originalOf(group.main);
    const original = was && originals.get(was);
    if (isLeftOut(group.main, target)) continue;
    if (original === undefined) {
      if (!isInit(group.main)) added.push(group);
    } else if (!sameGroup(group, original, correlation, comparison)) changed.push(group);
  }
  return { changed, added };
}

/** The livepatch core finds the original by its name, and its position among those of that name. */
function replacedFunction(
  main: Part,
  original: Part,
  target: LinkTarget,
  output: Output,
): ReplacedFunction | Reason {
  const name = describe(original);
  const symbol = original.symbols.find((candidate) => candidate.name === original.name);
  const position = target.locate({ name, local: symbol?.binding === STB_LOCAL });
  if (position.kind === "found") {
    return {
      name,
      sympos: position.sympos,
      symbol: output.symbolOf(main),
      originalSizeBytes: original.end - original.start,
      replacementSizeBytes: main.end - main.start,
    };
  }
  return {
    code: position.kind === "ambiguous" ? "ambiguous-symbol" : "unknown-symbol",
    subject: name,
    message: `${name} cannot be found in the shipped ${target.object}: ${position.why}`,
  };
}
