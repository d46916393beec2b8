/**
 * Layouts of structures, before the change and after it. Code of the live patch and code of the kernel work on the
 * same data, and what is allocated already keeps the layout that it has; so a structure may not change under it. Only
 * what both sides know by one name is compared: a new structure is the patch's own affair.
 */
import { bytesSource, openElf } from "@kgraft/elf";
import {
  type DeclaredType,
  type MemberLayout,
  readDeclarations,
  readEnumerators,
  readStructLayouts,
  type StructLayout,
} from "@kgraft/kernel";
import type { UnitReason } from "./errors.ts";
import { hiddenPrefix } from "./source/structures.ts";

/** How a structure that code before and after the change knows differs. */
export interface LayoutChange {
  /** `struct name` or `union name`. */
  readonly name: string;
  /** Which member moved from where to where, appeared or went; or the sizes of the whole. */
  readonly difference: string;
}

/** The structures whose layout the change moves. The objects carry their types (.BTF). */
export function changedLayouts(unit: string, before: Uint8Array, after: Uint8Array): LayoutChange[] {
  const original = readStructLayouts(openElf(bytesSource(`${unit} (original)`, before)));
  const patched = readStructLayouts(openElf(bytesSource(`${unit} (patched)`, after)));
  return [...patched].flatMap(([key, is]) => {
    const was = original.get(key);
    const difference = was === undefined ? undefined : firstDifference(was, is);
    return difference === undefined ? [] : { name: is.name, difference };
  });
}

export function layoutReason(unit: string, { name, difference }: LayoutChange): UnitReason {
  return {
    code: "changed-layout",
    unit,
    subject: name,
    message: `${name} changed: ${difference}`,
    hint: "leave the structure as it is, and keep what is new in a shadow variable (klp_shadow_alloc)",
  };
}

/** What is lost where the replaced code does without the change of a structure. */
export function keptLayout(unit: string, { name, difference }: LayoutChange): UnitReason {
  return {
    code: "kept-layout",
    unit,
    subject: name,
    message: `${name} stays as the running kernel has it (the change: ${difference}); the replaced code does not touch the difference`,
  };
}

/**
 * Enumerators that got another value. Code that changes by it is replaced; data that holds one holds the old value, and
 * nothing says which does. The last of an enumeration counts the others, as a rule.
 */
export function movedEnumerators(unit: string, before: Uint8Array, after: Uint8Array): UnitReason[] {
  const original = readEnumerators(openElf(bytesSource(`${unit} (original)`, before)));
  const patched = readEnumerators(openElf(bytesSource(`${unit} (patched)`, after)));
  return [...original].flatMap(([name, was]): UnitReason[] => {
    const is = patched.get(name);
    if (is === undefined || is.value === was.value || was.isLast) return [];
    return [
      {
        code: "moved-enumerator",
        unit,
        subject: name,
        message: `${name} was ${was.value}, is ${is.value}: data of the running kernel that holds it means something else to the new code`,
        hint: "put a new enumerator at the end, or see that no data holds one",
      },
    ];
  });
}

/**
 * Variables that are, hold or point to another structure than before: what the running kernel has in them is the old one.
 * Of static locals the types do not tell.
 */
export function changedVariables(unit: string, before: Uint8Array, after: Uint8Array): UnitReason[] {
  const [original, patched] = declarationsOf(unit, before, after);
  return [...patched.variables].flatMap(([name, is]): UnitReason[] => {
    const was = original.variables.get(name);
    const difference = was === undefined ? undefined : typeDifference(was, is);
    if (difference === undefined) return [];
    return [
      {
        code: "changed-layout",
        unit,
        subject: name,
        message: `variable ${name} ${difference}: the running kernel has the old one in it`,
        hint: "give the new one another name, and leave the old variable as it is",
      },
    ];
  });
}

/** Functions of the unit that are to be called otherwise than before: with other arguments, or for another result. */
export function changedPrototypes(unit: string, before: Uint8Array, after: Uint8Array): string[] {
  const [original, patched] = declarationsOf(unit, before, after);
  return [...patched.functions].flatMap(([name, is]) => {
    const was = original.functions.get(name);
    const isSame =
      was === undefined ||
      (was.length === is.length &&
        was.every(
          (one, index) =>
            one.sizeBits === is[index]!.sizeBits && typeDifference(one, is[index]!) === undefined, // equally many
        ));
    return isSame ? [] : [name];
  });
}

function declarationsOf(
  unit: string,
  before: Uint8Array,
  after: Uint8Array,
): [ReturnType<typeof readDeclarations>, ReturnType<typeof readDeclarations>] {
  return [
    readDeclarations(openElf(bytesSource(`${unit} (original)`, before))),
    readDeclarations(openElf(bytesSource(`${unit} (patched)`, after))),
  ];
}

/** A size that changed is said elsewhere. */
function typeDifference(was: DeclaredType, is: DeclaredType): string | undefined {
  if (!isSameType(was.types, is.types)) return `was ${was.types[0]}, is ${is.types[0]}`;
  if (was.elementBits === is.elementBits || was.sizeBits !== is.sizeBits) return undefined;
  return `had elements of ${was.elementBits / 8} bytes, has such of ${is.elementBits / 8}`;
}

function firstDifference(was: StructLayout, is: StructLayout): string | undefined {
  // `inner.kgraft_was_x` is the `inner.x` of before.
  const members = new Map(
    [...is.members].map(([name, member]) => [name.replaceAll(hiddenPrefix, ""), member]),
  );
  for (const [name, member] of was.members) {
    const now = members.get(name);
    if (now === undefined) return `member ${name} at offset ${offset(member)} is gone`;
    if (now.offsetBits !== member.offsetBits)
      return `member ${name} was at offset ${offset(member)}, is at ${offset(now)}`;
    if (now.sizeBits !== member.sizeBits)
      return `member ${name} had ${member.sizeBits / 8} bytes, has ${now.sizeBits / 8}`;
    if (!isSameType(member.types, now.types))
      return `member ${name} was ${member.types[0]}, is ${now.types[0]}`;
  }
  const added = [...members].find(([name]) => !was.members.has(name));
  if (added !== undefined) return `member ${added[0]} is new, at offset ${offset(added[1])}`;
  return was.sizeBytes === is.sizeBytes
    ? undefined
    : `its size was ${was.sizeBytes} bytes, is ${is.sizeBytes}`;
}

/**
 * Whether what a member holds or points to stays what it was. What has no name (a number, `void *`) is taken for
 * anything; a structure that only wraps another (`struct spinlock`) for that other.
 */
function isSameType(was: readonly string[], is: readonly string[]): boolean {
  const [before, after] = [was[0], is[0]];
  return before === undefined || after === undefined || was.includes(after) || is.includes(before);
}

function offset({ offsetBits }: MemberLayout): string {
  const bit = offsetBits % 8;
  return `${Math.floor(offsetBits / 8)}${bit === 0 ? "" : ` bit ${bit}`}`;
}
