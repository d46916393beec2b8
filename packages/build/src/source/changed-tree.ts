/** The kernel's source as the change leaves it, ready to be compiled. */
import { readFileSync } from "node:fs";
import { keepLineNumbers } from "./line-numbers.ts";
import type { SourceChange } from "./change.ts";
import { makeShadowTree, type ShadowTree } from "./shadow-tree.ts";
import { keepStructures, touchedMembers, withoutBodies } from "./structures.ts";

/** The prepared tree with the change in it, and with the line numbers of the originals. */
export async function changedTree(tree: string, change: SourceChange): Promise<ShadowTree> {
  return makeShadowTree(
    tree,
    textsOf(change, (_, patched) => patched),
  );
}

/** A shadow that is made when it is asked for first. */
export interface LazyTree extends AsyncDisposable {
  /** Undefined where it would be no other than the changed tree. */
  readonly directory: () => Promise<string | undefined>;
}

/** The changed tree, but for structures: those are as they were. */
export function keptTree(tree: string, change: SourceChange): LazyTree {
  let made: Promise<ShadowTree | undefined> | undefined;
  const make = async (): Promise<ShadowTree | undefined> => {
    const moves = [...change.texts.values()].some(
      ({ original, patched }) => original !== undefined && keepStructures(original, patched) !== patched,
    );
    return moves ? makeShadowTree(tree, textsOf(change, keeping(change))) : undefined;
  };
  return {
    directory: async () => (await (made ??= make()))?.directory,
    [Symbol.asyncDispose]: async () => (await made)?.[Symbol.asyncDispose](),
  };
}

/** Structures as they were; and no inline function of a header stands in the way that needs what is new of them. */
function keeping({ texts }: SourceChange): Edit {
  const members = new Map<string, string[]>();
  for (const [path, { original, patched }] of texts) {
    // What a C file defines no header uses.
    if (original === undefined || !path.endsWith(".h")) continue;
    for (const [name, structures] of touchedMembers(original, patched))
      members.set(name, [...(members.get(name) ?? []), ...structures]);
  }
  return (original, patched, path) => {
    const kept = keepStructures(original, patched, touchedMembers(original, patched));
    return path.endsWith(".h") ? withoutBodies(kept, members) : kept;
  };
}

type Edit = (original: string, patched: string, path: string) => string;

/** The authors' header, in the place that `#include <linux/kgraft.h>` means. */
const authorsHeader = {
  path: "include/linux/kgraft.h",
  include: /^\s*#\s*include\s*<linux\/kgraft\.h>/m,
  text: readFileSync(new URL("../../include/linux/kgraft.h", import.meta.url), "utf8"),
} as const;

function textsOf(change: SourceChange, edit: Edit): Map<string, string> {
  const isIncluded = [...change.texts.values()].some(({ patched }) => authorsHeader.include.test(patched));
  return new Map([
    ...(isIncluded ? [[authorsHeader.path, authorsHeader.text] as const] : []),
    ...[...change.texts].map(
      ([path, { original, patched }]) =>
        [
          path,
          original === undefined ? patched : keepLineNumbers(original, edit(original, patched, path)),
        ] as const,
    ),
  ]);
}
