/**
 * Which files include which, read from their text.
 *
 * The DWARF of a unit names a header only where something of it was emitted: a header of which a unit uses a
 * macro alone is not named, and a change of that macro would go unseen. So the tree's `#include` lines are
 * followed as well, without regard to #if: the graph says of some unit too much that it reads a header, which
 * costs a compilation, and never too little, which would cost a fix. What text does not show (a computed
 * include), DWARF adds.
 */
import { readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { setImmediate } from "node:timers/promises";

export interface IncludeGraph {
  readonly files: readonly string[];
  /** For each file the indices of the files that it includes. */
  readonly includes: readonly (readonly number[])[];
}

export interface IncludeRoot {
  readonly path: string;
  /** Directories of -I, in their order, relative to the tree. */
  readonly searched: readonly string[];
  /** Files of -include. */
  readonly forced: readonly string[];
}

const includeLine = /^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)/gm;

/** Follows the includes from these files on. */
export async function readIncludeGraph(
  tree: string,
  roots: readonly IncludeRoot[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<IncludeGraph> {
  const graph = new GraphBuilder(tree);
  for (const root of roots) {
    const index = graph.indexOf(root.path);
    for (const forced of root.forced) graph.link(index, graph.indexOf(forced));
    graph.follow(index, root.searched);
    for (const forced of root.forced) graph.follow(graph.indexOf(forced), root.searched);
    await setImmediate();
    options.signal?.throwIfAborted();
  }
  return graph.result();
}

class GraphBuilder {
  readonly #tree: string;
  readonly #files: string[] = [];
  readonly #indices = new Map<string, number>();
  readonly #includes: Set<number>[] = [];
  readonly #lines = new Map<number, readonly Included[]>();
  readonly #exists = new Map<string, boolean>();
  /** Files whose includes were followed already, for each list of searched directories. */
  readonly #followed = new Map<string, Set<number>>();

  constructor(tree: string) {
    this.#tree = tree;
  }

  indexOf(path: string): number {
    const known = this.#indices.get(path);
    if (known !== undefined) return known;
    const index = this.#files.push(path) - 1;
    this.#indices.set(path, index);
    this.#includes.push(new Set());
    return index;
  }

  link(from: number, to: number): void {
    this.#includes[from]!.add(to);
  }

  follow(start: number, searched: readonly string[]): void {
    const key = searched.join("\n");
    const done = this.#followed.get(key) ?? new Set<number>();
    this.#followed.set(key, done);
    const pending = [start];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (done.has(at)) continue;
      done.add(at);
      for (const included of this.#linesOf(at)) {
        const path = this.#resolve(included, posix.dirname(this.#files[at]!), searched);
        if (path === undefined) continue;
        const index = this.indexOf(path);
        this.link(at, index);
        pending.push(index);
      }
    }
  }

  result(): IncludeGraph {
    return { files: this.#files, includes: this.#includes.map((set) => [...set]) };
  }

  #resolve(included: Included, directory: string, searched: readonly string[]): string | undefined {
    for (const base of included.quoted ? [directory, ...searched] : searched) {
      const path = posix.join(base, included.name);
      if (this.#isFile(path)) return path;
    }
    return undefined;
  }

  #isFile(path: string): boolean {
    const known = this.#exists.get(path);
    if (known !== undefined) return known;
    const found = statSync(join(this.#tree, path), { throwIfNoEntry: false })?.isFile() ?? false;
    this.#exists.set(path, found);
    return found;
  }

  #linesOf(index: number): readonly Included[] {
    const known = this.#lines.get(index);
    if (known !== undefined) return known;
    const path = this.#files[index]!;
    const text = this.#isFile(path) ? readFileSync(join(this.#tree, path), "latin1") : "";
    const lines = includedIn(text);
    this.#lines.set(index, lines);
    return lines;
  }
}

interface Included {
  readonly name: string;
  readonly quoted: boolean;
}

/** The names in the #include lines of a text. */
export function includedIn(text: string): readonly Included[] {
  return Array.from(text.matchAll(includeLine), ([, quoted, angled]) => ({
    name: quoted ?? angled!,
    quoted: quoted !== undefined,
  }));
}
