/**
 * Constants that the kernel writes into its code at boot, into each place that a table names: the address of the dentry
 * hash, the end of user addresses. Nobody writes them into a live patch, which comes later. So its code loads the
 * variable of which the constant is the value instead, as code of modules does.
 * Source: runtime_const_ptr() and runtime_const_init() in arch/x86/include/asm/runtime-const.h of the kernel; commit
 * 86e6b1547b3d ("x86: fix user address masking non-canonical speculation issue") for modules.
 */
import {
  copyObject,
  type ElfObject,
  type ObjectRelocation,
  type ObjectSection,
  sectionOf,
  STB_LOCAL,
  STT_SECTION,
} from "@kgraft/elf";
import type { Architecture } from "./arch/architecture.ts";
import { undefinedSymbol } from "./part.ts";
import type { LinkTarget } from "./target.ts";

const pointers = /^runtime_ptr_(\w+)$/;

/**
 * The object with loads in place of its constants, and without their tables. A table of which that cannot be done stays:
 * code that is of no known form, or a variable that nobody read any more and the compiler left out.
 */
export function withConstantsLoaded(
  given: ElfObject,
  architecture: Architecture,
  target: Pick<LinkTarget, "resolve">,
): ElfObject {
  if (!given.sections.some(({ name }) => pointers.test(name))) return given;
  const object = copyObject(given);
  for (const table of object.sections) {
    const name = pointers.exec(table.name)?.[1];
    if (name === undefined) continue;
    const places = table.relocations.flatMap(placeOf);
    const isWhole = places.length > 0 && places.length === table.relocations.length;
    if (!isWhole || !places.every(({ section, offset }) => architecture.canLoadInstead(section.data, offset)))
      continue;
    const symbol = object.symbols.find((one) => one.name === name && one.type !== STT_SECTION);
    const { kind } = target.resolve({ name, local: symbol?.binding === STB_LOCAL });
    if (kind !== "exported" && kind !== "livepatch") continue;
    object.sections = object.sections.filter((section) => section !== table);
    const variable = symbol ?? undefinedSymbol(name);
    if (symbol === undefined) object.symbols.push(variable);
    for (const { section, offset } of places) {
      const field = architecture.loadInstead(section.data, offset);
      const relocations = [...section.relocations, { ...field, symbol: variable }];
      section.relocations = relocations.toSorted((one, other) => one.offset - other.offset);
    }
  }
  return object;
}

interface Place {
  readonly section: ObjectSection;
  readonly offset: number;
}

/** The constant that an entry, a distance from itself, leads to. */
function placeOf({ symbol, addend }: ObjectRelocation): Place[] {
  const section = sectionOf(symbol);
  return section === undefined ? [] : [{ section, offset: symbol.value + addend }];
}
