/** Which units a source change touches, headers and included files taken along. */
import { type KernelTree, unitsOf } from "@kgraft/kernel";
import type { AssemblyChange } from "./assembly.ts";
import type { SourceChange } from "./change.ts";
import { changedImages } from "./own-images.ts";
import { changedStrangers, strangeUnits } from "./strange-units.ts";

export interface AffectedUnit {
  /** Source path in the tree. */
  readonly unit: string;
  /** What it is linked into: `vmlinux`, or one module or several. */
  readonly objects: readonly string[];
}

export interface AffectedUnits {
  /** In the order of their paths. */
  readonly units: readonly AffectedUnit[];
  /** Units of assembly that read a changed file. */
  readonly assembly: readonly string[];
  /** What the change does to images that the kernel carries. */
  readonly images: AssemblyChange;
  /** What it does to units that cannot be compiled here. */
  readonly strangers: AssemblyChange;
  /** Changed files that no unit of this kernel reads. */
  readonly unread: readonly string[];
}

/** The units whose compilation reads a changed file. A file that the change creates is read through its includers. */
export async function affectedUnits(tree: KernelTree, change: SourceChange): Promise<AffectedUnits> {
  const { units, unitsReading } = await unitsOf(tree);
  const affected = new Set<string>();
  const unread: string[] = [];
  for (const [path, { original }] of change.texts) {
    // A unit may be part of another one: compat_binfmt_elf.c is binfmt_elf.c once more, for 32-bit programs.
    const readers = units.has(path) ? [path, ...unitsReading(path)] : unitsReading(path);
    for (const unit of readers) affected.add(unit);
    if (readers.length === 0 && original !== undefined) unread.push(path);
  }
  const images = changedImages(change.texts.keys(), (path) => units.has(path));
  const inOrder = [...affected].toSorted();
  const ofC = inOrder.filter((unit) => unit.endsWith(".c"));
  const strange = await strangeUnits(tree, ofC);
  return {
    units: ofC
      .filter((unit) => !strange.has(unit))
      .map((unit) => ({ unit, objects: (units.get(unit) ?? []).map(({ name }) => name) })),
    assembly: inOrder.filter((unit) => unit.endsWith(".S")),
    images,
    strangers: changedStrangers(strange, (path) => change.texts.has(path)),
    unread: unread.filter((path) => !images.reasons.some(({ unit }) => unit === path)),
  };
}
