/**
 * The units of a kernel: which source files were compiled and what they were linked into, and which of them a
 * header touches. What was linked into what is read from the line tables of the shipped vmlinux and of every
 * shipped module, so it holds for the kernel as it is, not as a Makefile might be read. Computed once, then
 * cached beside the tree.
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { commandsAt, loadCommands } from "./command-table.ts";
import { withElfFile } from "./elf-file.ts";
import { type IncludeGraph, type IncludeRoot, readIncludeGraph } from "./includes.ts";
import { readLineTables } from "./line-table.ts";
import type { KernelTree } from "./tree.ts";
import { writeWhole } from "./write-whole.ts";

/** What a unit is linked into. */
export interface UnitObject {
  /** `vmlinux`, or the module's name as the kernel shows it. */
  readonly name: string;
  /** Path of the .ko under modulesDirectory, such as `kernel/fs/fuse/fuse.ko`; null for vmlinux. */
  readonly module: string | null;
}

export interface Units {
  /** Source path in the tree -> what it is linked into; C and assembly. */
  readonly units: ReadonlyMap<string, readonly UnitObject[]>;
  /**
   * The units that may read a header (or a C file that others include), in the order of their names. Some of
   * them may not: conditions around an include are not evaluated. Empty for a file that no unit reads.
   */
  readonly unitsReading: (path: string) => readonly string[];
}

interface UnitsFile {
  readonly schema: "kgraft-units/1";
  readonly treeId: string;
  readonly objects: readonly UnitObject[];
  /** unit -> indices of objects */
  readonly units: Readonly<Record<string, readonly number[]>>;
  readonly graph: IncludeGraph;
}

const loaded = new Map<string, Promise<Units>>();

export interface UnitsOptions {
  readonly signal?: AbortSignal;
}

/** The units of a prepared kernel, in milliseconds: they were computed when it was prepared. */
export function unitsOf(tree: KernelTree, options: UnitsOptions = {}): Promise<Units> {
  const key = `${tree.directory} ${tree.treeId}`;
  const known = loaded.get(key);
  if (known !== undefined) return known;
  const loading = load(tree, options);
  loaded.set(key, loading);
  loading.catch(() => loaded.delete(key));
  return loading;
}

async function load(tree: KernelTree, options: UnitsOptions): Promise<Units> {
  const path = join(tree.directory, "units.json");
  const text = await readFile(path, "utf8").catch(() => undefined);
  const cached = text === undefined ? undefined : (JSON.parse(text) as UnitsFile);
  if (cached?.schema === "kgraft-units/1" && cached.treeId === tree.treeId) return open(cached);
  const computed = await compute(tree, options);
  await writeWhole(path, JSON.stringify(computed));
  return open(computed);
}

function open(file: UnitsFile): Units {
  const units = new Map(
    Object.entries(file.units).map(([unit, indices]) => [unit, indices.map((index) => file.objects[index]!)]),
  );
  const { files, includes } = file.graph;
  let includers: number[][] | undefined;
  const unitsReading = (path: string): readonly string[] => {
    includers ??= reversed(includes);
    const start = files.indexOf(path);
    if (start < 0) return [];
    const seen = new Set([start]);
    for (const at of seen) for (const includer of includers[at]!) seen.add(includer);
    return Array.from(seen, (index) => files[index]!)
      .filter((name) => units.has(name))
      .toSorted((a, b) => (a < b ? -1 : 1));
  };
  return { units, unitsReading };
}

function reversed(includes: readonly (readonly number[])[]): number[][] {
  const includers: number[][] = includes.map(() => []);
  includes.forEach((targets, from) => targets.forEach((to) => includers[to]!.push(from)));
  return includers;
}

async function compute(tree: KernelTree, options: UnitsOptions): Promise<UnitsFile> {
  const { objects, units, named } = await readObjects(tree, options);
  const roots = await rootsOf(tree, units.keys());
  const graph = addNamed(await readIncludeGraph(tree.sourceDirectory, roots, options), named);
  return {
    schema: "kgraft-units/1",
    treeId: tree.treeId,
    objects,
    units: Object.fromEntries([...units].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    graph,
  };
}

/** The units of every object, and for each unit the files that its line table names. */
async function readObjects(
  tree: KernelTree,
  options: UnitsOptions,
): Promise<{
  objects: UnitObject[];
  units: Map<string, number[]>;
  named: Map<string, Set<string>>;
}> {
  const objects: UnitObject[] = [];
  const units = new Map<string, number[]>();
  const named = new Map<string, Set<string>>();
  const read = (object: UnitObject, path: string): void => {
    const index = objects.push(object) - 1;
    for (const files of withElfFile(path, basename(path), readLineTables).map(treeFiles)) {
      const unit = files[0];
      if (unit === undefined || isOfLink(unit)) continue;
      const known = units.get(unit) ?? [];
      if (known.at(-1) !== index) known.push(index);
      units.set(unit, known);
      named.set(unit, (named.get(unit) ?? new Set()).union(new Set(files.slice(1))));
    }
  };
  read({ name: "vmlinux", module: null }, tree.vmlinux);
  const entries = await readdir(tree.debugModulesDirectory, { recursive: true }).catch((): string[] => []);
  for (const module of entries
    .filter((entry) => entry.endsWith(".ko"))
    .toSorted((a, b) => (a < b ? -1 : 1))) {
    const name = basename(module, ".ko").replaceAll("-", "_");
    read({ name, module }, join(tree.debugModulesDirectory, module));
    // Reading is computing, not waiting: let an abort be heard.
    await setImmediate();
    options.signal?.throwIfAborted();
  }
  return { objects, units, named };
}

/** What kbuild adds when it links: tables of exports, the time of the build. Such a file has no function. */
function isOfLink(unit: string): boolean {
  return (
    unit.endsWith(".mod.c") ||
    /^(\.vmlinux\.export|init\/version-timestamp|scripts\/module-common|rust\/exports)\.c$/.test(unit)
  );
}

/**
 * A line table's files as paths in the tree. Debian compiles in `debian/build/build_...` under the source, and
 * maps the source's own prefix away in C, not in assembly.
 */
export function treeFiles(table: {
  readonly compileDirectory: string;
  readonly files: readonly string[];
}): readonly string[] {
  const build = table.compileDirectory;
  const source = build.replace(/\/?debian\/build\/[^/]+$/, "");
  const prefixes = [build, source].filter((prefix) => prefix !== "").map((prefix) => `${prefix}/`);
  return table.files.map((file) => {
    const prefix = prefixes.find((one) => file.startsWith(one));
    return join(prefix === undefined ? file : file.slice(prefix.length));
  });
}

/** Where reading includes starts: every unit with the search path of its command. */
async function rootsOf(tree: KernelTree, units: Iterable<string>): Promise<readonly IncludeRoot[]> {
  const table = await loadCommands(tree.directory);
  const searches = table.templates.map((_, index) => searchOf(commandsAt(table, index)[0]!));
  // Assembly has the include path of any C unit; its own directory comes first for quoted names anyway.
  const usual = searches[0] ?? { searched: [], forced: [] };
  return Array.from(units, (path) => {
    const index = table.units[path]?.[0];
    return { path, ...(index === undefined ? usual : searches[index]!) };
  });
}

/** The directories of -I and the files of -include in a compiler's command line. */
export function searchOf(words: readonly string[]): Omit<IncludeRoot, "path"> {
  const searched = words.flatMap((word, index) => {
    // Both `-I./include` and `-I ./fs/xfs/libxfs` occur.
    if (!word.startsWith("-I")) return [];
    return [join(word === "-I" ? (words[index + 1] ?? "") : word.slice(2))];
  });
  const forced = words.flatMap((word, index) => (word === "-include" ? [join(words[index + 1] ?? "")] : []));
  return { searched, forced };
}

/** Adds what DWARF knows and text does not: where a unit's table names a file that no include leads to. */
function addNamed(graph: IncludeGraph, named: ReadonlyMap<string, ReadonlySet<string>>): IncludeGraph {
  const files = [...graph.files];
  const includes = graph.includes.map((targets) => [...targets]);
  const indices = new Map(files.map((file, index) => [file, index]));
  for (const [unit, headers] of named) {
    const start = indices.get(unit);
    if (start === undefined) continue;
    const seen = new Set([start]);
    for (const at of seen) for (const target of includes[at]!) seen.add(target);
    for (const header of headers) {
      const index = indices.get(header) ?? files.push(header) - 1;
      indices.set(header, index);
      includes[index] ??= [];
      if (!seen.has(index)) includes[start]!.push(index);
    }
  }
  return { files, includes };
}
