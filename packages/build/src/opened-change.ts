/** A source change, ready to be worked on unit by unit: in the shadows of its kernel's tree, beside the shipped kernel. */
import { availableParallelism } from "node:os";
import { compileUnit, type KernelTree } from "@kgraft/kernel";
import { limit } from "./limit.ts";
import { openShippedKernel, type ShippedKernel } from "./shipped/shipped-kernel.ts";
import { type AssemblyChange, changedAssembly } from "./source/assembly.ts";
import type { SourceChange } from "./source/change.ts";
import { changedTree, keptTree } from "./source/changed-tree.ts";
import { type AffectedUnits, affectedUnits } from "./source/units.ts";
import { type Compile, compilePair, computeUnitDeltas, type ObjectPair, type UnitDelta } from "./unit.ts";

export interface OpenedChange extends AffectedUnits, AsyncDisposable {
  readonly kernel: ShippedKernel;
  /**
   * The unit before the change and after it; as many at once as there are processors.
   *
   * @throws {CompileFailed} when one of both does not compile
   */
  readonly compile: (affected: AffectedUnits["units"][number]) => Promise<ObjectPair>;
  /** What the change does to assembly, to images that the kernel carries, and to units that cannot be compiled here. */
  readonly compareAssembly: () => Promise<AssemblyChange>;
  /** What a live patch must carry of it, or why it cannot; one verdict for each object that it is linked into. */
  readonly compare: (pair: ObjectPair) => Promise<readonly UnitDelta[]>;
}

/** Makes the shadow trees; disposing of the change removes them. */
export async function openChange(
  tree: KernelTree,
  change: SourceChange,
  signal: AbortSignal,
): Promise<OpenedChange> {
  const { units, assembly, images, strangers, unread } = await affectedUnits(tree, change);
  const kernel = await openShippedKernel(tree);
  const shadow = await changedTree(tree.sourceDirectory, change);
  const kept = keptTree(tree.sourceDirectory, change);
  const inSlot = limit(availableParallelism());
  const compile: Compile = (request) => inSlot(() => compileUnit(tree, request, { signal }));
  return {
    units,
    assembly,
    images,
    strangers,
    unread,
    kernel,
    compile: (affected) => compilePair(affected, shadow.directory, compile),
    compareAssembly: async () => {
      const all = [images, strangers, await changedAssembly(tree, assembly, shadow.directory, signal)];
      return {
        reasons: all.flatMap(({ reasons }) => reasons),
        warnings: all.flatMap(({ warnings }) => warnings),
      };
    },
    compare: (pair) => computeUnitDeltas(kernel, pair, compile, kept.directory),
    async [Symbol.asyncDispose]() {
      await shadow[Symbol.asyncDispose]();
      await kept[Symbol.asyncDispose]();
    },
  };
}
