/**
 * Which part of the patched object continues which part of the original. A funnel, surest first; what falls through
 * is new, or gone. Code of the boot, which the running kernel has thrown away, continues only in code of the boot. It
 * never pairs by name what has no identity of its own: strings, `__func__.25`, `_rs.26`.
 *
 * 1. The same name: `ext4_mb_load_buddy_gfp`, `ext4_ac_cachep`.
 * 2. Another name of the same thing: an alias may be added, and then be what a part is called by.
 * 3. Clones whose number moved: `ext4_mb_use_preallocated.constprop.0` and `.constprop.1`, where there is one each.
 * 4. Static locals, whose number gcc counts anew each time, by what uses them:
 *    `ext4_grpinfo_slab_create_mutex.20` is the one that ext4_mb_init() refers to in both objects.
 * 5. Static locals that are the only ones of their name in both, where the code that uses them may have moved from one
 *    function to the other. The `calls` of a function that has none any more is not that of a function elsewhere.
 */
import { staticLocalName, withoutCloneNumbers } from "./names.ts";
import { bytesEqual, isInit, type Part } from "./part.ts";
import type { Parts } from "./parts.ts";

export interface Correlation {
  /** The part of the original object that this part of the patched one continues. */
  originalOf(patched: Part): Part | undefined;
  /** Parts of the original object that nothing continues. */
  readonly gone: readonly Part[];
}

export function correlate(original: Parts, patched: Parts): Correlation {
  const pairs = new Pairs();
  pairByKey(pairs, original, patched, (part) => (isStaticLocal(part) ? undefined : part.name));
  pairByOtherName(pairs, original, patched);
  pairByKey(pairs, original, patched, (part) =>
    part.kind === "function" && part.name !== undefined ? withoutCloneNumbers(part.name) : undefined,
  );
  pairByUse(pairs, original, patched);
  const may = movesOfUse(pairs, original, patched);
  pairByKey(
    pairs,
    original,
    patched,
    (part) => (isStaticLocal(part) ? staticLocalName(part.name ?? "") : undefined),
    may,
  );
  return {
    originalOf: (part) => pairs.originals.get(part),
    gone: original.all.filter((part) => hasIdentity(part) && !pairs.taken.has(part)),
  };
}

class Pairs {
  readonly originals = new Map<Part, Part>();
  readonly taken = new Set<Part>();

  /** @returns whether both were free */
  add(original: Part, patched: Part): boolean {
    if (this.taken.has(original) || this.originals.has(patched)) return false;
    this.taken.add(original);
    this.originals.set(patched, original);
    return true;
  }
}

function hasIdentity(part: Part): boolean {
  return part.kind === "function" || part.kind === "data" || part.kind === "constant";
}

/** A variable that is static in a function; its name ends in a number of gcc's. */
export function isStaticLocal(part: Part): boolean {
  return part.kind !== "function" && hasIdentity(part) && staticLocalName(part.name ?? "") !== undefined;
}

/** Pairs parts whose key occurs exactly once among those left on both sides. */
function pairByKey(
  pairs: Pairs,
  original: Parts,
  patched: Parts,
  key: (part: Part) => string | undefined,
  may: (from: Part, to: Part) => boolean = () => true,
): void {
  const group = (parts: Parts, isLeft: (part: Part) => boolean): Map<string, Part[]> =>
    Map.groupBy(
      parts.all.filter((part) => hasIdentity(part) && isLeft(part) && key(part) !== undefined),
      (part) => `${lifeOf(part)} ${key(part) ?? ""}`,
    );
  const originals = group(original, (part) => !pairs.taken.has(part));
  for (const [name, candidates] of group(patched, (part) => !pairs.originals.has(part))) {
    const [from, ...more] = originals.get(name) ?? [];
    const [to] = candidates;
    if (
      from !== undefined &&
      to !== undefined &&
      more.length === 0 &&
      candidates.length === 1 &&
      may(from, to)
    )
      pairs.add(from, to);
  }
}

/** What must be the same for one part to continue another. */
function lifeOf(part: Part): string {
  return part.kind === "function" && isInit(part) ? "init function" : part.kind;
}

/** Pairs parts that share a name which is not what both are called by. */
function pairByOtherName(pairs: Pairs, original: Parts, patched: Parts): void {
  const byName = new Map(
    original.all
      .filter((part) => hasIdentity(part) && !pairs.taken.has(part))
      .flatMap((part) => part.symbols.map(({ name }) => [name, part] as const)),
  );
  for (const part of patched.all) {
    if (!hasIdentity(part) || pairs.originals.has(part) || isStaticLocal(part)) continue;
    const shared = new Set(part.symbols.flatMap(({ name }) => byName.get(name) ?? []));
    const [from, ...more] = shared;
    if (from !== undefined && more.length === 0 && lifeOf(from) === lifeOf(part)) pairs.add(from, part);
  }
}

/**
 * Pairs static locals by what uses them: paired functions and variables vote, each for what it used before of a name
 * and what it uses now. Of several of one name a user that is otherwise as it was knows the n-th by its place; one that
 * changed may use them in another order, and knows only those that are not alike. Only what all agree on is paired: a
 * function that now uses another one's `cnt` would else hand it over. What is paired votes in turn:
 * `__compound_literal.3` of a table leads to the next.
 */
function pairByUse(pairs: Pairs, original: Parts, patched: Parts): void {
  const votes = new Votes();
  let users = [...pairs.originals].map(([to, from]) => [from, to] as const);
  while (users.length > 0) {
    for (const [from, to] of users) {
      const isAsBefore = sameShape(original, from, patched, to);
      const before = staticLocalsOf(original, from, isAsBefore);
      for (const [name, after] of staticLocalsOf(patched, to, isAsBefore)) {
        const candidates = before.get(name) ?? [];
        if (candidates.length === after.length && (isAsBefore || after.length === 1))
          after.forEach((part, index) => votes.add(candidates[index]!, part)); // equally many
      }
    }
    users = votes.newlyUnanimous().filter(([from, to]) => pairs.add(from, to));
  }
}

/**
 * Whether code that used the one may be what uses the other now: it moved into a function that the former user calls, or
 * out of one that the present user called; or the function has another name now, and the same caller.
 */
function movesOfUse(pairs: Pairs, original: Parts, patched: Parts): (from: Part, to: Part) => boolean {
  return (from, to) => {
    const before = usersOf(original, from);
    const after = usersOf(patched, to);
    if (before.size === 0 || after.size === 0) return true;
    const isGone = before.isDisjointFrom(pairs.taken);
    const isNew = ![...after].some((user) => pairs.originals.has(user));
    return [...pairs.originals].some(([now, was]) => {
      const [usedBefore, usesNow] = [before.has(was), after.has(now)];
      if (usedBefore || usesNow)
        return (
          (usedBefore && usesNow) ||
          (usedBefore ? reaches(patched, now, after) : reaches(original, was, before))
        );
      return isGone && isNew && reaches(original, was, before) && reaches(patched, now, after);
    });
  };
}

function reaches(parts: Parts, from: Part, places: ReadonlySet<Part>): boolean {
  return parts.references(from).some(({ target }) => target.kind === "part" && places.has(target.part));
}

function usersOf(parts: Parts, used: Part): Set<Part> {
  const places = new Set([used]);
  return new Set(parts.all.filter((part) => reaches(parts, part, places)));
}

class Votes {
  readonly #originals = new Map<Part, Set<Part>>();
  readonly #patched = new Map<Part, Set<Part>>();
  /** Parts of the patched object that got a vote since it was last asked. */
  #touched = new Set<Part>();

  add(original: Part, patched: Part): void {
    this.#touched.add(patched);
    this.#originals.set(patched, (this.#originals.get(patched) ?? new Set()).add(original));
    this.#patched.set(original, (this.#patched.get(original) ?? new Set()).add(patched));
  }

  /** Pairs that every vote is for, of those that got one since it was last asked: the others' are no more so than then. */
  newlyUnanimous(): (readonly [original: Part, patched: Part])[] {
    const touched = [...this.#touched];
    this.#touched = new Set();
    return touched.flatMap((patched) => {
      const [original, ...more] = this.#originals.get(patched) ?? [];
      return original !== undefined && more.length === 0 && this.#patched.get(original)?.size === 1
        ? [[original, patched] as const]
        : [];
    });
  }
}

/** Whether a user is what it was, but for what it refers to. */
function sameShape(original: Parts, from: Part, patched: Parts, to: Part): boolean {
  const [before, after] = [original.references(from), patched.references(to)];
  return (
    before.length === after.length &&
    after.every(({ offset }, index) => offset === before[index]?.offset) &&
    bytesEqual(original.maskedBytes(from), patched.maskedBytes(to))
  );
}

/** So much of its initial contents tells a variable from another of its name and size. */
const TOLD_BYTES = 64;

/** What a part uses, by name; where its order says nothing, by size and initial contents too. */
function staticLocalsOf(parts: Parts, user: Part, byName: boolean): Map<string, Part[]> {
  const used = new Set<Part>();
  for (const { target } of parts.references(user)) {
    if (target.kind === "part" && isStaticLocal(target.part)) used.add(target.part);
  }
  return Map.groupBy(used, (part) => {
    const name = staticLocalName(part.name ?? "") ?? "";
    return byName
      ? name
      : `${name} ${part.end - part.start} ${parts.maskedBytes(part).subarray(0, TOLD_BYTES).join(" ")}`;
  });
}
