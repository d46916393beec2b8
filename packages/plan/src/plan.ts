/** From the distribution's update of its kernel to what a live patch can carry of it, unit by unit and fix by fix. */
import { availableParallelism } from "node:os";
import {
  type AffectedUnit,
  openChange,
  type OpenedChange,
  type PatchedDelta,
  type UnitDelta,
  type UnitReason,
} from "@kgraft/build";
import { CompileFailed, type KernelTree, type OnProgress, unitsOf } from "@kgraft/kernel";
import { readChangelogOf } from "./changelog.ts";
import { linkable } from "./closure.ts";
import { assignFixes, type PlannedFix } from "./fixes.ts";
import { readUpdate, type Update } from "./update.ts";

export interface PlanRequest {
  readonly kernel: KernelTree;
  /** The version that the kernel was built from, and the one that it is to be brought to. */
  readonly from: string;
  readonly to: string;
  /** Leave out the units whose own source does not change, only headers that they read. */
  readonly withoutHeaders?: boolean;
}

/** What becomes of one unit. */
export interface PlannedUnit extends AffectedUnit {
  readonly verdict: "carried" | "unchanged" | "needs-author";
  /** Whether the unit's own source changed; otherwise only files that it includes. */
  readonly ownSource: boolean;
  readonly functions: readonly PlannedFunction[];
  /** Functions that the update adds to it. */
  readonly added: readonly string[];
  /** Why no live patch can carry it as it is. */
  readonly reasons: readonly UnitReason[];
  readonly warnings: readonly UnitReason[];
}

export interface PlannedFunction {
  /** `vmlinux` or a module. */
  readonly object: string;
  readonly name: string;
  readonly sympos: number;
  readonly originalSizeBytes: number;
  readonly replacementSizeBytes: number;
}

/** A changed file that no unit of this kernel reads, or that is not C. */
export interface PlannedFile {
  readonly path: string;
  readonly verdict: "not-compiled" | "needs-author";
  readonly reasons: readonly UnitReason[];
}

export interface Plan {
  readonly update: Update;
  readonly units: readonly PlannedUnit[];
  readonly files: readonly PlannedFile[];
  readonly fixes: readonly PlannedFix[];
  /** What the live patch of all that is carried is linked from. */
  readonly deltas: readonly PatchedDelta[];
  /** Path of each unit's object compiled before the change, with one section for each symbol. */
  readonly originals: ReadonlyMap<string, string>;
}

/** A unit as it was compiled and compared, before it is known whether what it needs is carried too. */
export interface ComparedUnit extends AffectedUnit {
  readonly deltas: readonly UnitDelta[];
  /** Path of the object compiled before the change; absent where the unit did not compile. */
  readonly original?: string;
}

/**
 * Makes the plan. The shadow of the tree and the shipped kernel stay open for whoever goes on with it; objects that
 * were compiled once are not compiled again, so a plan that was interrupted goes on where it was.
 *
 * @throws what {@link readUpdate} throws
 */
export async function makePlan(
  request: PlanRequest,
  work: { readonly onProgress: OnProgress; readonly signal: AbortSignal },
): Promise<{ readonly plan: Plan; readonly opened: OpenedChange }> {
  const { kernel: tree } = request;

  // 1. The update, and what its changelog says that it repairs.
  const update = await readUpdate(tree, request, work);
  const changelog = await readChangelogOf(tree, request, work);

  // 2. Each unit that it touches, compiled before and after, and compared.
  const opened = await openChange(tree, update.change, work.signal);
  try {
    const { texts } = update.change;
    const chosen = opened.units.filter(({ unit }) => texts.has(unit) || request.withoutHeaders !== true);
    // Those whose own source changed come first: most of what there is to know is in them.
    const inOrder = chosen.toSorted((a, b) => Number(texts.has(b.unit)) - Number(texts.has(a.unit)));
    const compared = await compareUnits(opened, inOrder, work);

    // 3. Of what can be carried, what finds everything that it calls.
    const { carried, stranded } = linkable(compared, opened.kernel);

    // 4. Verdicts: of units, of files that are no units, of fixes.
    const units = compared.map((unit) => verdictOf(unit, texts.has(unit.unit), carried, stranded));
    const { unitsReading } = await unitsOf(tree);
    const assembly = await opened.compareAssembly();
    const files = [...otherFiles(update, opened.unread, unitsReading), ...assembly.reasons.map(assemblyFile)];
    const fixes = assignFixes(changelog, update, units, unitsReading);
    const deltas = [...carried.values()].flat();
    const originals = new Map(
      compared.flatMap(({ unit, original }) => (original === undefined ? [] : [[unit, original] as const])),
    );
    return { plan: { update, units, files, fixes, deltas, originals }, opened };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

async function compareUnits(
  opened: OpenedChange,
  units: readonly AffectedUnit[],
  { onProgress, signal }: { readonly onProgress: OnProgress; readonly signal: AbortSignal },
): Promise<ComparedUnit[]> {
  const results: ComparedUnit[] = [];
  const pending = units.entries();
  let done = 0;
  let reused = 0;
  const tell = (message: string): void =>
    onProgress({
      stage: "units",
      doneBytes: done,
      totalBytes: units.length,
      reusedBytes: reused,
      message,
    });
  tell("");
  const worker = async (): Promise<void> => {
    for (const [index, affected] of pending) {
      signal.throwIfAborted();
      const { isReused, ...compared } = await compareUnit(opened, affected);
      results[index] = { ...affected, ...compared };
      done++;
      if (isReused) reused++;
      tell(affected.unit);
    }
  };
  // One more than compile at a time, so that a unit is compared while others compile.
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker));
  return results;
}

async function compareUnit(
  opened: OpenedChange,
  affected: AffectedUnit,
): Promise<Pick<ComparedUnit, "deltas" | "original"> & { readonly isReused: boolean }> {
  try {
    const pair = await opened.compile(affected);
    const { original, patched } = pair;
    return {
      deltas: await opened.compare(pair),
      original: original.objectPath,
      isReused: original.cached && patched.cached,
    };
  } catch (error) {
    if (!(error instanceof CompileFailed)) throw error;
    const { unit } = affected;
    const said = error.stderr.split("\n").find((line) => line.includes("error:")) ?? error.message;
    const reason: UnitReason = {
      code: "not-compiled",
      unit,
      subject: unit,
      message: `the updated unit does not compile with this kernel's configuration: ${said.trim()}`,
      hint: "the update needs what the prepared tree does not have, such as a generated header",
    };
    return { deltas: [{ kind: "refused", unit, reasons: [reason] }], isReused: false };
  }
}

function verdictOf(
  { unit, objects, deltas }: ComparedUnit,
  ownSource: boolean,
  carried: ReadonlyMap<string, readonly PatchedDelta[]>,
  stranded: ReadonlyMap<string, readonly UnitReason[]>,
): PlannedUnit {
  const refused = deltas.flatMap((delta) => (delta.kind === "refused" ? delta.reasons : []));
  const reasons = [...refused, ...(stranded.get(unit) ?? [])];
  const mine = carried.get(unit) ?? [];
  const functions = mine.flatMap(({ shippedObject, functions: replaced }) =>
    replaced.map(({ name, sympos, originalSizeBytes, replacementSizeBytes }) => ({
      object: shippedObject,
      name,
      sympos,
      originalSizeBytes,
      replacementSizeBytes,
    })),
  );
  const verdict = reasons.length > 0 ? "needs-author" : mine.length > 0 ? "carried" : "unchanged";
  return {
    unit,
    objects,
    verdict,
    ownSource,
    functions,
    added: mine.flatMap(({ added }) => added),
    reasons,
    warnings: [
      ...mine.flatMap(({ warnings }) => warnings),
      ...deltas.flatMap((delta) => (delta.kind === "unchanged" ? (delta.kept ?? []) : [])),
    ],
  };
}

/** Assembly that changes by a header. */
function assemblyFile(reason: UnitReason): PlannedFile {
  return { path: reason.unit, verdict: "needs-author", reasons: [reason] };
}

/** Files that are no C of this kernel: other architectures' and other configurations', documentation, assembly. */
function otherFiles(
  { change, files, foreign }: Update,
  unread: readonly string[],
  unitsReading: (path: string) => readonly string[],
): PlannedFile[] {
  const reasons = Map.groupBy(change.reasons, ({ unit }) => unit);
  const apart = new Set([...unread, ...change.ignored, ...foreign]);
  return files.flatMap(({ path }): PlannedFile[] => {
    const why = reasons.get(path) ?? [];
    // What is not compiled needs no author, whatever kind of file it is.
    const isOurs = why.length > 0 && unitsReading(path).length > 0;
    if (isOurs) return [{ path, verdict: "needs-author", reasons: why }];
    return why.length > 0 || apart.has(path) ? [{ path, verdict: "not-compiled", reasons: [] }] : [];
  });
}
