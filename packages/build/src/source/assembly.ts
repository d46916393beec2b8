/**
 * Assembly that reads a changed header. A live patch replaces functions compiled from C; where a macro of a header
 * changes the kernel's assembly too, the rest of the change alone may be worse than nothing.
 */
import { CommandFailed, type KernelTree, preprocessAssembly } from "@kgraft/kernel";
import type { UnitReason } from "../errors.ts";

export interface AssemblyChange {
  readonly reasons: readonly UnitReason[];
  readonly warnings: readonly UnitReason[];
}

/**
 * What a change of headers does to assembly.
 *
 * @param units assembly that reads a changed file
 * @param root the changed tree
 */
export async function changedAssembly(
  tree: KernelTree,
  units: readonly string[],
  root: string,
  signal: AbortSignal,
): Promise<AssemblyChange> {
  const reasons: UnitReason[] = [];
  const warnings: UnitReason[] = [];
  for (const unit of units) {
    const about = {
      unit,
      subject: unit,
      hint: "leave that part of the header out, if the rest stands without it",
    };
    const before = await textOf(tree, unit, tree.sourceDirectory, signal);
    if (before === undefined) {
      // Made by kbuild, or from a header that is.
      const message = `${unit} reads a changed header, and what it makes of it cannot be told: see that it does not matter`;
      warnings.push({ ...about, code: "unread-assembly", message });
    } else if (before !== (await textOf(tree, unit, root, signal))) {
      const message = `${unit} changes by a header: it is assembly, and a live patch replaces functions compiled from C`;
      reasons.push({ ...about, code: "changed-assembly", message });
    }
  }
  return { reasons, warnings };
}

/** What the assembler gets; undefined where the preprocessor does not go through. */
async function textOf(
  tree: KernelTree,
  unit: string,
  root: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await preprocessAssembly(tree, unit, { root, signal });
  } catch (error) {
    if (error instanceof CommandFailed) return undefined;
    throw error;
  }
}
