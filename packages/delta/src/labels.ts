/**
 * Places that have no function's or variable's name, and which the running kernel holds all the same: labels within a
 * function, and assembly whose names have no type.
 */
import { STB_LOCAL, STT_FUNC, STT_NOTYPE } from "@kgraft/elf";
import type { Comparison } from "./compare.ts";
import { isPrefixSymbol } from "./names.ts";
import { describe, isInit, isStorage, type Part } from "./part.ts";
import type { Parts, Reference } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import { isSpecial } from "./special-tables.ts";

const leaveFunction = "leave that function as it is, and change its callers";

/**
 * Tables (and functions, which may compare an address) that stay behind and lead into the middle of a function that is carried: it would jump back into the original
 * by them (labels as values), or miss what the kernel did at boot to the places that they list (`runtime_shift_d_hash_shift` of fs/dcache.c).
 */
export function labelTables(after: Parts, selected: ReadonlySet<Part>): Reason[] {
  return after.all.flatMap((from): Reason[] => {
    if (isSpecial(from.section) || isInit(from) || selected.has(from)) return [];
    if (from.kind !== "data" && from.kind !== "function" && isStorage(from.section)) return [];
    return after.references(from).flatMap((reference): Reason[] => {
      const inside = functionEntered(reference);
      if (inside === undefined || !selected.has(inside)) return [];
      return [
        {
          code: "changed-data",
          subject: describe(from),
          message: `${describe(from)} of section ${from.section.name} holds places within ${describe(inside)}, which the kernel would not find in the live patch`,
          hint: leaveFunction,
        },
      ];
    });
  });
}

/** The function that a reference leads into, elsewhere than at one of its names. */
function functionEntered({ target }: Reference): Part | undefined {
  if (target.kind !== "part" || target.part.kind !== "function") return undefined;
  const { part, offset } = target;
  const isEntry = part.symbols.some(
    ({ type, name, value }) => value - part.start === offset && (type === STT_FUNC || isPrefixSymbol(name)),
  );
  return isEntry || offset === 0 ? undefined : part;
}

/** Labels within changed functions that other units may know: they go on to know the original's. */
export function sharedLabels(changed: Iterable<Part>): Reason[] {
  return [...changed].flatMap((part) =>
    part.symbols
      .filter(
        ({ type, binding, name }) => type === STT_NOTYPE && binding !== STB_LOCAL && !isPrefixSymbol(name),
      )
      .map(({ name }): Reason => ({
        code: "moved-symbol",
        subject: name,
        message: `${name} is a place within ${describe(part)} that other code may know: in the live patch it would be another`,
        hint: leaveFunction,
      })),
  );
}

/** Assembly that other units reach by a name without a type: nobody redirects it, and it has no identity. */
export function changedLabels(original: Parts, patched: Parts, comparison: Comparison): Reason[] {
  const before = new Map(labelled(original));
  return labelled(patched).flatMap(([name, part]): Reason[] => {
    const was = before.get(name);
    if (was === undefined || isInit(part) || comparison.equal(was, part)) return [];
    return [
      {
        code: "changed-data",
        subject: name,
        message: `${name} of section ${part.section.name} changed, and has no type: nothing says whether it is a function or a variable`,
        hint: "give the label a type and a size, as SYM_FUNC_START() and SYM_FUNC_END() do",
      },
    ];
  });
}

function labelled(parts: Parts): (readonly [string, Part])[] {
  return parts.all
    .filter(({ kind, section }) => kind === "nameless" && isStorage(section) && !isSpecial(section))
    .flatMap((part) =>
      part.symbols
        .filter(({ type, binding }) => type === STT_NOTYPE && binding !== STB_LOCAL)
        .map(({ name }) => [name, part] as const),
    );
}
