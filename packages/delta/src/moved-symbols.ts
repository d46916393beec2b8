/**
 * Names that lead elsewhere than before. Who holds a name in the running kernel holds an address, which stays what it
 * was: the linker bound it when the kernel was made. A name that moves from one unit to another is seen from both: one
 * goes on to use what it no longer defines, the other defines what the kernel has already.
 */
import {
  type ElfObject,
  type ObjectSymbol,
  sectionOf,
  STB_LOCAL,
  STB_WEAK,
  STT_FUNC,
  STT_OBJECT,
} from "@kgraft/elf";
import { type Correlation, isStaticLocal } from "./correlate.ts";
import { isPrefixSymbol } from "./names.ts";
import { describe, isIgnored, isInitSection, isStorage, isWritable, type Part } from "./part.ts";
import type { Parts } from "./parts.ts";
import { isTraced } from "./patchability.ts";
import type { Reason } from "./reasons.ts";
import { isSpecial } from "./special-tables.ts";
import type { LinkTarget } from "./target.ts";

/** Every name of the unit that another address would have to answer to than does in the running kernel. */
export function movedSymbols(
  original: Parts,
  patched: Parts,
  correlation: Correlation,
  target: LinkTarget,
): Reason[] {
  return [
    ...movedWithin(original, patched, correlation),
    ...movedIntoRange(original, patched, correlation),
    ...adopted(original, patched, target),
    ...givenAway(original, patched, correlation, target),
  ];
}

/** An alias that moved to another function, a function that parted from its alias. */
function movedWithin(original: Parts, patched: Parts, correlation: Correlation): Reason[] {
  const before = definitions(original);
  return [...definitions(patched)].flatMap(([name, now]): Reason[] => {
    const was = before.get(name);
    if (was === undefined) return [];
    const isSame = correlation.originalOf(now.part) === was.part;
    if (isSame && was.offset === now.offset) return [];
    return [
      {
        code: "moved-symbol",
        subject: name,
        message: `${name} was ${wordsFor(name, was)}, is ${wordsFor(name, now)}: the running kernel has it bound already`,
        hint: "leave the name where it is, and change what it leads to",
      },
    ];
  });
}

/**
 * Sections of code that the kernel asks addresses about: where no probe may be, where no instrumentation is, what an
 * interrupt enters by. What is `__kprobes` or `noinstr` now can still be probed in the running kernel, whether or not it
 * is replaced. (Of `.cpuidle.text` it asks for backtraces only. Since 6.2 its code has no traced entry, either: then it is
 * a `noinstr` one.)
 */
const askedRange = /^\.(kprobes|noinstr|irqentry|softirqentry|entry)\.text/;

function rangeOf({ section }: Part): string {
  return askedRange.exec(section.name)?.[0] ?? "";
}

function movedIntoRange(original: Parts, patched: Parts, correlation: Correlation): Reason[] {
  return patched.all.flatMap((part): Reason[] => {
    const was = part.kind === "function" ? correlation.originalOf(part) : undefined;
    if (was === undefined) return [];
    const isUntraced =
      part.section.name === ".cpuidle.text" && isTraced(was, original) && !isTraced(part, patched);
    if (rangeOf(was) === rangeOf(part) && !isUntraced) return [];
    return [
      {
        code: "moved-symbol",
        subject: describe(part),
        message: `${describe(part)} moved from section ${was.section.name} to ${part.section.name}: the kernel asks by address what it may do there, and its function stays where it is`,
        hint: "leave the mark out (__kprobes, noinstr, __cpuidle, __irq_entry), if the rest of the change stands without it",
      },
    ];
  });
}

/**
 * What other units share, and the unit defines for the first time: where another defined it before (the unit refers to
 * it, or the running object has it) the kernel's other code would go on to use that one.
 */
function adopted({ object: original }: Parts, { object: patched }: Parts, target: LinkTarget): Reason[] {
  // Code of the boot too: its name is in the kernel still, and nobody's any more.
  const before = new Set(
    original.symbols
      .filter((symbol) => symbol.binding !== STB_LOCAL && sectionOf(symbol) !== undefined)
      .map(({ name }) => name),
  );
  const elsewhere = namesPlaced(original, ["undefined", "common"]);
  return patched.symbols
    .filter((symbol) => isShared(symbol) && !before.has(symbol.name))
    .filter(({ name }) => elsewhere.has(name) || target.locate({ name, local: false }).kind !== "missing")
    .map(({ name }) => ({
      code: "moved-symbol",
      subject: name,
      message: `${name} was defined elsewhere, is this unit's now: the running kernel would have two of it`,
      hint: "leave the definition where it is, or give the new one another name",
    }));
}

/**
 * What the unit goes on to use and no longer defines: of a variable another unit's copy would begin anew, and a function
 * may be another one there. A static function without variables of its own may go, whoever has a copy of it.
 */
function givenAway(
  original: Parts,
  { object: patched }: Parts,
  correlation: Correlation,
  target: LinkTarget,
): Reason[] {
  const used = namesPlaced(patched, ["undefined"]);
  const gone = new Set(correlation.gone);
  return [...definitions(original)].flatMap(([name, { part }]): Reason[] => {
    if (!used.has(name)) return [];
    const binding = part.symbols.find((symbol) => symbol.name === name)?.binding;
    // A weak one that gave way is not what the running kernel has under that name.
    if (binding === STB_WEAK && target.locate({ name, local: false }).kind === "overridden") return [];
    if (binding === STB_LOCAL && !isWritable(part) && !usesGoneVariable(part, original, gone)) return [];
    return [
      {
        code: "moved-symbol",
        subject: name,
        message: `${name} was defined in this unit, is another's now: the running kernel has it bound to this one's`,
        hint: "leave the definition where it is, and change it there",
      },
    ];
  });
}

function usesGoneVariable(part: Part, original: Parts, gone: ReadonlySet<Part>): boolean {
  return original
    .references(part)
    .some(({ target }) => target.kind === "part" && isWritable(target.part) && gone.has(target.part));
}

/** Whether other units reach it by its name. */
function isShared(symbol: ObjectSymbol): boolean {
  const section = sectionOf(symbol);
  return (
    section !== undefined &&
    symbol.binding !== STB_LOCAL &&
    isStorage(section) &&
    !isIgnored(section) &&
    !isSpecial(section) &&
    !isInitSection(section) &&
    !isPrefixSymbol(symbol.name)
  );
}

function namesPlaced({ symbols }: ElfObject, kinds: readonly string[]): ReadonlySet<string> {
  return new Set(symbols.filter(({ place }) => kinds.includes(place.kind)).map(({ name }) => name));
}

interface Definition {
  readonly part: Part;
  /** From the start of the symbol that its part is called by. */
  readonly offset: number;
}

function wordsFor(name: string, { part, offset }: Definition): string {
  if (part.name === name) return `a ${part.kind} of its own`;
  return offset === 0 ? `another name of ${describe(part)}` : `${describe(part)}+0x${offset.toString(16)}`;
}

/** Functions and variables by name, those with an identity, of names that occur once. Code of the boot is gone by now. */
function definitions(parts: Parts): Map<string, Definition> {
  const found = new Map<string, Definition | undefined>();
  for (const part of parts.all) {
    if ((part.kind !== "function" && part.kind !== "data") || isStaticLocal(part)) continue;
    const main = part.symbols.find(({ name }) => name === part.name);
    for (const { name, type, value } of part.symbols) {
      if ((type !== STT_FUNC && type !== STT_OBJECT) || isPrefixSymbol(name)) continue;
      const definition = { part, offset: value - (main?.value ?? part.start) };
      found.set(name, found.has(name) ? undefined : definition);
    }
  }
  return new Map(
    [...found].flatMap(([name, one]) =>
      one === undefined || isInitSection(one.part.section) ? [] : [[name, one] as const],
    ),
  );
}
