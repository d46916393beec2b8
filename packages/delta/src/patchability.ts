/**
 * What no live patch can bring about: changes outside of functions, and in functions that cannot be redirected. All
 * of them are looked for, whether or not a carried function has to do with them, because a change that is left out
 * silently is worse than one refused.
 */
import type { ObjectSection } from "@kgraft/elf";
import type { Comparison } from "./compare.ts";
import { type Correlation, isStaticLocal } from "./correlate.ts";
import { staticLocalName } from "./names.ts";
import { describe, isIgnored, isStorage, isWritable, type Part, type Parts } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import { isSpecial } from "./special.ts";

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
    if (part.kind !== "data") continue;
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
    }
  }
  return reasons;
}

/** A static local that may or may not be one of the original's: taken as new it would forget its value. */
function ambiguousStatic(original: Parts, part: Part, correlation: Correlation): Reason[] {
  const name = staticLocalName(part.name ?? "");
  if (!isStaticLocal(part) || !isWritable(part)) return [];
  const candidates = correlation.gone.filter(
    (gone) => isStaticLocal(gone) && staticLocalName(gone.name ?? "") === name,
  );
  if (candidates.length === 0) return [];
  return [
    {
      code: "ambiguous-static",
      subject: describe(part),
      message: `static local ${describe(part)} may be any of ${candidates.map(describe).join(", ")} in ${original.object.name}`,
      hint: "give the new variable a name that the file does not have yet",
    },
  ];
}

/**
 * Sections by which code or data announces itself to the kernel: initcalls, parameters, exports, tracepoints. Their
 * entries are read at boot or when a module loads, so a live patch cannot add, drop or change one.
 */
export function changedSections(original: Parts, patched: Parts, comparison: Comparison): Reason[] {
  const before = announcements(original);
  const after = announcements(patched);
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => {
      const [was, is] = [before.get(name) ?? [], after.get(name) ?? []];
      return (
        was.length !== is.length ||
        !is.every((section, index) => comparison.equal(whole(was[index]!), whole(section)))
      );
    })
    .map((name) => ({
      code: "changed-section",
      subject: name,
      message: `section ${name} changed: the kernel reads it at boot or when the module loads, not from a live patch`,
    }));
}

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
  const main = original.symbols.find((symbol) => symbol.name === original.name);
  if (!parts.architecture.hasTracedEntry(original.section, main?.value ?? original.start)) {
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

/** Code and data that the kernel frees after boot or after a module has loaded. */
export function isInit(part: Part): boolean {
  return /^\.(init|meminit|head)\./.test(part.section.name);
}
