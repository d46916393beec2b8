/** From a source change to a live patch: the road of a fix, as far as the module. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Manifest } from "@kgraft/contract";
import { allOrNone, type KernelTree, type OnProgress, writeTogether } from "@kgraft/kernel";
import { BadChange, ChangeRefused, NoFunctionalChange, type UnitReason } from "./errors.ts";
import { manifestOf } from "./manifest.ts";
import { glueObject } from "./module/glue.ts";
import { isCallbackSection } from "./module/declarations.ts";
import { linkModule } from "./module/link.ts";
import { checkSigningKey, type SigningKey, signModule } from "./module/sign.ts";
import { openChange } from "./opened-change.ts";
import { type PatchFile, readChange, type SourceChange } from "./source/change.ts";
import type { AffectedUnit } from "./source/units.ts";
import type { PatchedDelta, UnitDelta } from "./unit.ts";

export interface BuildRequest {
  readonly kernel: KernelTree;
  /** Unified diffs against the kernel's source, applied in this order. */
  readonly patches: readonly PatchFile[];
  /** The live patch's name: letters, digits and underscores, at most 55; made from the first diff's when absent. */
  readonly name?: string;
  /** What the change repairs, for the manifest. */
  readonly fixes?: Manifest["fixes"];
  /** What the module is signed with; not signed when absent. */
  readonly signingKey?: SigningKey;
  /** Where NAME.ko and NAME.json go. */
  readonly directory: string;
}

export interface LivePatch {
  readonly modulePath: string;
  readonly manifestPath: string;
  readonly manifest: Manifest;
  /** The units that the change touches, and whether the changed one was compiled before. */
  readonly units: readonly (AffectedUnit & { readonly cached: boolean })[];
  /** Functions that the change adds, by unit. */
  readonly added: readonly string[];
  readonly warnings: readonly UnitReason[];
  /** Changed files that have no part in the running kernel. */
  readonly ignored: readonly string[];
}

/**
 * Builds the live patch of a source change for one kernel. Nothing is loaded anywhere; the two files appear whole or
 * not at all.
 *
 * @throws {BadChange} when the diffs are none, do not apply, or touch nothing that is compiled
 * @throws {ChangeRefused} with every reason why the change cannot be carried
 * @throws {SigningFailed} when key and certificate are not such as to sign with
 * @throws {NoFunctionalChange} when no function does anything else than before
 */
export async function build(
  request: BuildRequest,
  { onProgress, signal }: { readonly onProgress: OnProgress; readonly signal: AbortSignal },
): Promise<LivePatch> {
  const { kernel: tree, patches } = request;
  const name = patchName(request);
  const { signingKey } = request;
  if (signingKey !== undefined) await checkSigningKey(tree, signingKey);

  // 1. What the change is, file by file.
  onProgress({ stage: "read", message: patches.map((patch) => patch.name).join(", ") });
  const change = await readChange(patches, (path) =>
    readFile(join(tree.sourceDirectory, path), "utf8").catch(() => undefined),
  );

  // 2. Which units it touches, headers included.
  const stop = new AbortController();
  const running = AbortSignal.any([signal, stop.signal]);
  await using opened = await openChange(tree, change, running);
  const { units } = opened;
  const assembly = await opened.compareAssembly();
  const outside = [...change.reasons, ...assembly.reasons];
  if (units.length === 0) throw nothingCompiled(change, outside);

  // 3. Each of them compiled before and after, in a shadow of the prepared tree.
  let compiled = 0;
  let reused = 0;
  onProgress({ stage: "compile", doneBytes: 0, totalBytes: units.length });
  const compilation = units.map(async (affected) => {
    const pair = await opened.compile(affected);
    if (pair.original.cached && pair.patched.cached) reused++;
    onProgress({
      stage: "compile",
      doneBytes: ++compiled,
      totalBytes: units.length,
      reusedBytes: reused,
      message: affected.unit,
    });
    return pair;
  });
  const [glue, ...pairs] = await allOrNone([glueObject(tree, running), ...compilation], stop);

  // 4. What a live patch must carry of each, and whether the originals are what was shipped.
  onProgress({ stage: "compare" });
  const deltas = (await allOrNone(pairs.map(opened.compare), stop)).flat();
  const carried = carriedOf(tree, outside, deltas);

  // 5. One module of it all.
  onProgress({ stage: "link", message: `${name}.ko` });
  const unsigned = await linkModule(opened.kernel, { name, glue, deltas: carried }, signal);
  const bytes = signingKey === undefined ? unsigned : await signModule(tree, unsigned, signingKey, signal);

  // 6. The module and its manifest, whole or not at all.
  signal.throwIfAborted();
  const manifest = await manifestOf(request, name, carried, bytes);
  const modulePath = join(request.directory, `${name}.ko`);
  const manifestPath = join(request.directory, `${name}.json`);
  await writeTogether([
    [manifestPath, `${JSON.stringify(manifest, null, 2)}\n`],
    [modulePath, bytes],
  ]);
  return {
    modulePath,
    manifestPath,
    manifest,
    units: pairs.map(({ unit, objects, patched: { cached } }) => ({ unit, objects, cached })),
    added: carried.flatMap(({ added }) => added),
    warnings: [...assembly.warnings, ...carried.flatMap(({ warnings }) => warnings)],
    ignored: [...change.ignored, ...opened.unread],
  };
}

/** The deltas that a live patch is made of, if it can be made. */
function carriedOf(
  tree: KernelTree,
  outside: readonly UnitReason[],
  deltas: readonly UnitDelta[],
): readonly PatchedDelta[] {
  const refused = deltas.flatMap((delta) => (delta.kind === "refused" ? delta.reasons : []));
  if (outside.length + refused.length > 0) throw new ChangeRefused([...outside, ...refused]);
  const carried = deltas.filter((delta) => delta.kind === "patched");
  // A change may consist of callbacks alone: then the data that they convert is what it is about.
  if (
    carried.some(({ functions, object }) => functions.length > 0 || object.sections.some(isCallbackSection))
  )
    return carried;
  // A change that is all in a structure: code that keeps the structure does nothing else than before.
  const kept = deltas.flatMap((delta) => (delta.kind === "unchanged" ? (delta.kept ?? []) : []));
  if (kept.length > 0)
    throw new ChangeRefused([...new Map(kept.map((reason) => [reason.message, reason])).values()]);
  throw new NoFunctionalChange(tree.release, [...new Set(deltas.map(({ unit }) => unit))]);
}

function patchName({ name, patches }: BuildRequest): string {
  const given = name ?? `kgraft_${basename(patches[0]?.name ?? "").replace(/\.(patch|diff)$/, "")}`;
  const cleaned = name ?? given.replaceAll(/[^A-Za-z0-9_]+/g, "_").slice(0, 55);
  if (!/^[A-Za-z0-9_]{1,55}$/.test(cleaned)) {
    throw new BadChange(
      `cannot name the live patch: name is ${JSON.stringify(given)}, wanted 1 to 55 letters, digits and underscores`,
      "give one with --name",
    );
  }
  return cleaned;
}

function nothingCompiled(change: SourceChange, outside: readonly UnitReason[]): Error {
  if (outside.length > 0) return new ChangeRefused(outside);
  const files = [...change.texts.keys(), ...change.ignored].join(", ");
  return new BadChange(
    `nothing to patch: ${files || "the change"} is in no unit that this kernel was built from`,
    "a live patch needs a change to C code that the kernel or one of its modules was compiled from",
  );
}
