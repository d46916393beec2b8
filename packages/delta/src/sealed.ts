/**
 * Addresses of functions that the running kernel cannot be called by. Where the processor tracks indirect branches
 * (IBT) it lets only those land that begin with its mark, and the kernel took the mark from each function whose address
 * nobody took when it was made. Code of a live patch that takes such an address now, to hand it on or to put it into a
 * table, makes whoever calls it fault. (A static function that is only called never had the mark: the replacement has
 * it, and its own address is the one that is taken. See select.ts.)
 */
import { describe, isCode, isIgnored, type Part } from "./part.ts";
import type { Parts, Reference } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import { type Binding, requestOf, type Selection } from "./select.ts";
import { isSpecial } from "./special-tables.ts";
import type { LinkTarget, SymbolRequest } from "./target.ts";

/** Each such address that the selected parts take. */
export function sealedAddresses(
  selection: Selection,
  before: Parts,
  after: Parts,
  target: LinkTarget,
): Reason[] {
  return [...selection.parts].flatMap((from) =>
    after.references(from).flatMap((reference): Reason[] => {
      if (isBranch(from, reference, after)) return [];
      const name = functionOf(selection.bind(from, reference, false), reference);
      if (name === undefined) return [];
      const isSealed = target.isSealed(name) ?? (tracksBranches(before) && !takesAddress(before, name));
      if (!isSealed) return [];
      return [
        {
          code: "sealed-function",
          subject: name.name,
          message: `${describe(from)} takes the address of ${name.name}, which the running kernel does not let be called by its address (IBT), as nobody took it when the kernel was made`,
          hint: `add a function that calls ${name.name}, and take that one's address`,
        },
      ];
    }),
  );
}

/** The function of the running kernel whose start is meant, as far as it can be told from a variable. */
function functionOf(binding: Binding, { target }: Reference): SymbolRequest | undefined {
  if (binding.kind === "original")
    return binding.original.kind === "function" ? requestOf(binding.original) : undefined;
  const isStart = target.kind === "outside" && target.offset === 0;
  return binding.kind === "outside" && isStart ? { name: binding.symbol.name, local: false } : undefined;
}

/** Whether the unit was compiled for a kernel with IBT. */
function tracksBranches({ all, architecture }: Parts): boolean {
  return all.some(
    ({ kind, section, start, name, symbols }) =>
      kind === "function" &&
      architecture.hasLanding(section, symbols.find((one) => one.name === name)?.value ?? start),
  );
}

/** Lists of functions that are no call: objtool passes over them as well (validate_ibt() in tools/objtool/check.c). */
const noCall = /^_(kprobe_blacklist|error_injection_whitelist)$/;

/** Where nothing else tells: whose address the unit itself took is not sealed. */
function takesAddress(before: Parts, { name }: SymbolRequest): boolean {
  const isOf = ({ target }: Reference): boolean =>
    target.kind === "outside"
      ? target.symbol.name === name
      : target.kind === "part" && target.part.symbols.some((symbol) => symbol.name === name);
  return before.all.some(
    (from) =>
      !isSpecial(from.section) &&
      !isIgnored(from.section) &&
      !noCall.test(from.section.name) &&
      before.references(from).some((reference) => isOf(reference) && !isBranch(from, reference, before)),
  );
}

function isBranch(from: Part, { relocation }: Reference, { architecture }: Parts): boolean {
  return isCode(from.section) && architecture.isBranch(from.section.data, relocation.offset, relocation.type);
}
