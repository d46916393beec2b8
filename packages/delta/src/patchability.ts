/**
 * What no live patch can bring about: changes outside of functions, and in functions that cannot be redirected. All
 * of them are looked for, whether or not a carried function has to do with them, because a change that is left out
 * silently is worse than one refused.
 */
import { type ObjectSection, sectionNamed, STB_WEAK } from "@kgraft/elf";
import type { Comparison } from "./compare.ts";
import { type Correlation, isStaticLocal } from "./correlate.ts";
import { staticLocalName } from "./names.ts";
import { describe, isIgnored, isInit, isStorage, isWritable, type Part } from "./part.ts";
import type { Parts } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import { isSpecial } from "./special-tables.ts";
import type { LinkTarget } from "./target.ts";

/** `MODULE_AUTHOR()`, `MODULE_ALIAS()` and the like: read by depmod and modinfo, not by what runs. */
const moduleInformation = /^\.modinfo$/;

const shadow =
  "keep the data as it is: convert it in a callback when the patch is applied, or use a shadow variable";

/** Variables and tables whose initial contents changed: the running kernel has them in use already. */
export function changedData(
  original: Parts,
  patched: Parts,
  correlation: Correlation,
  comparison: Comparison,
): Reason[] {
  const reasons: Reason[] = [];
  for (const part of patched.all) {
    if (part.kind !== "data" || moduleInformation.test(part.section.name)) continue;
    const before = correlation.originalOf(part);
    if (before === undefined) {
      reasons.push(...ambiguousStatic(original, part, correlation));
      continue;
    }
    if (before.section.name.replace(/\.\d+$/, "") !== part.section.name.replace(/\.\d+$/, "")) {
      reasons.push({
        code: "changed-data",
        subject: describe(part),
        message: `${describe(part)} moved from section ${before.section.name} to ${part.section.name}`,
        hint: shadow,
      });
    } else if (!comparison.equal(before, part)) {
      const [was, is] = [before.end - before.start, part.end - part.start];
      const how = was === is ? "its contents changed" : `its size was ${was}, is ${is}`;
      reasons.push({
        code: "changed-data",
        subject: describe(part),
        message: `${isWritable(part) ? "variable" : "constant"} ${describe(part)} changed: ${how}`,
        hint: shadow,
      });
    } else if (part.section.alignment > before.section.alignment && mayBeWider(part, patched, correlation)) {
      reasons.push({
        code: "changed-data",
        subject: describe(part),
        message: `${describe(part)} is aligned to ${before.section.alignment} bytes in the running kernel, wanted ${part.section.alignment}`,
        hint: shadow,
      });
    }
  }
  return reasons;
}

/**
 * Whether the wider alignment of its section may be its own: it lies so, and among those that share the section there is
 * no new one whose it may be.
 */
function mayBeWider({ section, start }: Part, patched: Parts, correlation: Correlation): boolean {
  return (
    start % section.alignment === 0 &&
    patched.ofSection(section).every((part) => correlation.originalOf(part) !== undefined)
  );
}

/**
 * Common symbols have no section: the linker makes room for them. The kernel is compiled without (-fno-common), and one
 * that is new or has another size has no room in it.
 */
export function changedCommons(original: Parts, patched: Parts): Reason[] {
  const before = commonSizes(original);
  return [...commonSizes(patched)]
    .filter(([name, size]) => before.get(name) !== size)
    .map(([name, size]) => ({
      code: "changed-data",
      subject: name,
      message: `common variable ${name} has ${size} bytes, ${before.get(name) ?? "none"} in the running kernel`,
      hint: "compile with -fno-common, as the kernel is",
    }));
}

function commonSizes({ object }: Parts): Map<string, number> {
  return new Map(
    object.symbols.flatMap(({ name, place, sizeBytes }) =>
      place.kind === "common" ? [[name, sizeBytes] as const] : [],
    ),
  );
}

/**
 * Code that was compiled without -ffunction-sections, where a function changed: the code of its neighbours depends on
 * its size, so that nothing says which of them changed. (A unit may have functions of assembly in `.text`, beside
 * sections of C's own.)
 */
export function unsplitCode(parts: Parts): Reason[] {
  const text = sectionNamed(parts.object, ".text");
  const functions = text === undefined ? [] : parts.ofSection(text).filter(({ kind }) => kind === "function");
  const hasOwn = parts.object.sections.some(({ name }) => name.startsWith(".text."));
  if (functions.length < 2 || (hasOwn && !functions.some((part) => isTraced(part, parts)))) return [];
  return [
    {
      code: "not-split",
      subject: parts.object.name,
      message: `${parts.object.name} has ${functions.length} functions in section .text, wanted one section for each`,
      hint: "compile both objects with -ffunction-sections -fdata-sections",
    },
  ];
}

/** A static local that may or may not be one of the original's: taken as new it would forget its value. */
function ambiguousStatic(original: Parts, part: Part, correlation: Correlation): Reason[] {
  if (!isWritable(part)) return [];
  const candidates = correlation.gone.filter(
    (gone) =>
      gone.kind !== "function" &&
      (isStaticLocal(gone) || isStaticLocal(part)) &&
      sourceName(gone) !== undefined &&
      sourceName(gone) === sourceName(part),
  );
  if (candidates.length === 0) return [];
  return [
    {
      code: "ambiguous-static",
      subject: describe(part),
      message: `static ${describe(part)} may be any of ${candidates.map(describe).join(", ")} in ${original.object.name}`,
      hint: "give the new variable a name that the file does not have yet",
    },
  ];
}

/** What the author calls a variable. */
function sourceName({ name }: Part): string | undefined {
  return staticLocalName(name ?? "") ?? name;
}

/**
 * Sections by which code or data announces itself to the kernel: initcalls, parameters, exports, tracepoints. Their
 * entries are read at boot or when a module loads, so a live patch cannot add, drop or change one. Of some nothing
 * running depends on the change: it is left out, with a warning.
 */
export function changedSections(
  original: Parts,
  patched: Parts,
  comparison: Comparison,
): { readonly reasons: readonly Reason[]; readonly warnings: readonly Reason[] } {
  const before = announcements(original);
  const after = announcements(patched);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter((name) => {
    const [was, is] = [before.get(name) ?? [], after.get(name) ?? []];
    return (
      was.length !== is.length ||
      !is.every((section, index) => comparison.equal(whole(was[index]!), whole(section)))
    );
  });
  const byKind = Map.groupBy(changed, (name) => effectless.find(({ section }) => section.test(name)));
  const warnings = [...byKind].flatMap(([kind, names]): Reason[] =>
    kind === undefined
      ? []
      : [{ code: "left-out", subject: names[0]!, message: `${names.join(", ")} changed: ${kind.message}` }],
  );
  const reasons = (byKind.get(undefined) ?? []).map((name): Reason => ({
    code: "changed-section",
    subject: name,
    message: `section ${name} changed: the kernel reads it at boot or when the module loads, not from a live patch`,
  }));
  return { reasons, warnings };
}

/** Announcements that a live patch may do without. */
const effectless: readonly { readonly section: RegExp; readonly message: string }[] = [
  { section: moduleInformation, message: "what modinfo says of the module stays as it was" },
  {
    section: /^_*(ksymtab|kcrctab)/,
    message: "exports stay as they were; what is new is there for this live patch only",
  },
];

function announcements(parts: Parts): Map<string, ObjectSection[]> {
  const sections = parts.object.sections.filter(
    (section) => section.sizeBytes > 0 && !isIgnored(section) && !isSpecial(section) && !isStorage(section),
  );
  return Map.groupBy(sections, ({ name }) => name);
}

function whole(section: ObjectSection): Part {
  return { section, start: 0, end: section.sizeBytes, name: undefined, symbols: [], kind: "nameless" };
}

/** Why a changed function cannot be replaced, if it cannot. `original` is the function of the running kernel. */
export function unreplaceable(original: Part, parts: Parts): Reason[] {
  const name = describe(original);
  if (isInit(original)) {
    return [
      {
        code: "changed-init",
        subject: name,
        message: `${name} runs once, at boot or when its module loads (${original.section.name}), and is gone by now`,
        hint: "do in a callback of the live patch what it would do now",
      },
    ];
  }
  if (!isTraced(original, parts)) {
    return [
      {
        code: "no-traced-entry",
        subject: name,
        message: `${name} has no entry that ftrace can redirect (it is notrace, or lies in a section that is not traced)`,
        hint: "change its callers instead, where the compiler left them a traced entry",
      },
    ];
  }
  return [];
}

/** How the loop of a kernel thread asks whether it is to end. */
const threadLoop: ReadonlySet<string> = new Set([
  "kthread_freezable_should_stop",
  "kthread_should_park",
  "kthread_should_stop",
]);

/**
 * A function that a kernel thread may never leave: as long as the thread sleeps in it, a transition waits. Seen with
 * `pktgen_thread_worker()`.
 */
export function threadFunction(original: Part, parts: Parts): Reason[] {
  const loops = parts
    .references(original)
    .some(({ target }) => target.kind === "outside" && threadLoop.has(target.symbol.name));
  if (!loops) return [];
  const name = describe(original);
  return [
    {
      code: "thread-function",
      subject: name,
      message: `${name} loops until its kernel thread is to end: where such a thread runs, the transition waits for that`,
      hint: "end the thread before (unload its module, or stop what uses it), or let the patch be forced",
    },
  ];
}

/** Whether ftrace can redirect the function. */
export function isTraced(original: Part, parts: Parts): boolean {
  const main = original.symbols.find((symbol) => symbol.name === original.name);
  return parts.architecture.hasTracedEntry(original.section, main?.value ?? original.start);
}

/**
 * Code that is not in the running object: for the removal of what cannot be removed, which the linker leaves out of
 * vmlinux, and weak functions that gave way to another unit's (`bpf_jit_free()` of kernel/bpf/core.c).
 */
export function isLeftOut(part: Part, target: LinkTarget): boolean {
  if (target.object === "vmlinux" && /^\.(exit|memexit)\./.test(part.section.name)) return true;
  const main = part.symbols.find(({ name }) => name === part.name);
  return main?.binding === STB_WEAK && target.locate({ name: main.name, local: false }).kind === "overridden";
}
