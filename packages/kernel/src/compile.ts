/**
 * Compiles one unit the way the distribution did: the command is kbuild's own (commands.ts), only its outputs
 * go into the cache, so the tree is never written to.
 *
 * An object is cached by what it was made of. The prepared tree never changes, so its part of the key is its
 * name alone. A shadow tree is the prepared one with some files replaced: links, and real files where it differs.
 * Which of those a unit reads is known only from an earlier compilation, so an entry records the files it
 * read; it is right for a shadow whose real files, as far as the unit reads them or the prepared tree does not
 * have them, are the same ones with the same contents. (A file the tree does not have may come before another
 * of its name on the include path, so it always counts.)
 */
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { sha256 } from "./cache.ts";
import { commandOf } from "./command-table.ts";
import { checkCompiler } from "./compiler.ts";
import { dependenciesOf } from "./depfile.ts";
import { CompileFailed } from "./errors.ts";
import type { UnitCommand } from "./recipe.ts";
import { run } from "./run.ts";
import { realFiles, type RealFiles } from "./shadow.ts";
import { compilerPath, type KernelTree } from "./tree.ts";
import { makeDirectory, temporaryName, writeWhole } from "./write-whole.ts";

export interface CompileRequest {
  /** Source path in the tree, such as `fs/ext4/mballoc.c`. */
  readonly unit: string;
  /** A shadow tree to compile in instead of the prepared one; same relative layout, links for what is the same. */
  readonly root?: string;
  /** `split`: one section for each function and datum; `as-shipped`: as the distribution compiled it. */
  readonly sections: "split" | "as-shipped";
}

export interface CompiledUnit {
  readonly unit: string;
  readonly objectPath: string;
  readonly cached: boolean;
  readonly durationMs: number;
  /** Paths in the tree of all files the unit read, itself first. */
  readonly dependencies: readonly string[];
  /** Module it is part of, or null where it is built in. */
  readonly moduleName: string | null;
  /** First line of the compiler's `--version`. */
  readonly compilerLine: string;
  /** The compiler's command line, to be run in the tree. */
  readonly command: readonly string[];
}

interface CacheEntry {
  readonly schema: "kgraft-object/1";
  readonly dependencies: readonly string[];
  /** The shadow's real files that count, with their hashes. */
  readonly changed: Readonly<Record<string, string>>;
}

/** Throws UnitNotCompiled, CompileFailed, CompilerMismatch. */
export async function compileUnit(
  tree: KernelTree,
  request: CompileRequest,
  options: { readonly signal: AbortSignal },
): Promise<CompiledUnit> {
  const start = performance.now();
  const root = request.root ?? tree.sourceDirectory;
  // 1. What to run.
  const command = await commandOf(tree, request.unit);
  const compilerLine = await checkCompiler(tree.release, tree.compiler, options.signal);
  // -gbtf: the unit's types as well, so that their layouts can be compared.
  const split = request.sections === "split" ? ["-ffunction-sections", "-fdata-sections", "-gbtf"] : [];
  // The command was recorded where the kernel was prepared; the cache may have been moved since.
  const compile = [compilerPath(tree.compiler), ...command.compile.slice(1, -1), ...split];
  const commandKey = sha256(
    JSON.stringify([tree.treeId, compilerLine, request.unit, compile, command.after]),
  );
  const directory = join(tree.directory, "objects", commandKey);
  // 2. Whether it was run on the same files before.
  const files: RealFiles = root === tree.sourceDirectory ? new Map() : await realFiles(root, options.signal);
  const found = await lookUp(tree, directory, files);
  const entry =
    found ?? (await compileAnew(tree, command, compile, { root, directory, files }, options.signal));
  return {
    unit: request.unit,
    objectPath: objectPath(directory, entry.changed, command),
    cached: found !== undefined,
    durationMs: performance.now() - start,
    dependencies: entry.dependencies,
    moduleName: command.moduleName,
    compilerLine,
    command: [...compile, "@source"].map((word) => fill(word, command, command.object)),
  };
}

async function lookUp(
  tree: KernelTree,
  directory: string,
  files: RealFiles,
): Promise<CacheEntry | undefined> {
  const names = await readdir(directory).catch((): string[] => []);
  for (const name of names.filter((one) => one.endsWith(".json"))) {
    const entry = JSON.parse(await readFile(join(directory, name), "utf8")) as CacheEntry;
    const changed = await countingFiles(tree, entry.dependencies, files);
    if (JSON.stringify(changed) === JSON.stringify(entry.changed)) return entry;
  }
  return undefined;
}

/** Of the shadow's real files those that the unit reads, or that the prepared tree does not have. */
async function countingFiles(
  tree: KernelTree,
  dependencies: readonly string[],
  files: RealFiles,
): Promise<Readonly<Record<string, string>>> {
  const read = new Set(dependencies);
  const changed: Record<string, string> = {};
  for (const [path, hash] of files) {
    if (read.has(path) || (await isNew(tree, path))) changed[path] = await hash();
  }
  return changed;
}

async function isNew(tree: KernelTree, path: string): Promise<boolean> {
  return stat(join(tree.sourceDirectory, path)).then(
    () => false,
    () => true,
  );
}

interface Place {
  readonly root: string;
  readonly directory: string;
  readonly files: RealFiles;
}

async function compileAnew(
  tree: KernelTree,
  command: UnitCommand,
  compile: readonly string[],
  place: Place,
  signal: AbortSignal,
): Promise<CacheEntry> {
  await makeDirectory(place.directory);
  const object = temporaryName(join(place.directory, basename(command.object)));
  const depfile = `${object}.d`;
  try {
    const words = compile.flatMap((word) =>
      word === "-Wp,-MMD,@depfile" ? ["-MMD", "-MF", depfile] : [fill(word, command, object)],
    );
    // The debug information names the tree the same wherever it lies.
    const maps = [`-fdebug-prefix-map=${place.root}=.`, `-fdebug-prefix-map=${tree.sourceDirectory}=.`];
    await step([...words, ...maps, command.source], command.unit, tree, place.root, signal);
    for (const after of command.after) {
      const afterWords = after.map((word) => fill(word, command, object));
      await step(afterWords, command.unit, tree, place.root, signal);
    }
    const dependencies = dependenciesOf(await readFile(depfile, "utf8"), command.unit, [
      place.root,
      tree.sourceDirectory,
    ]);
    const changed = await countingFiles(tree, dependencies, place.files);
    const path = objectPath(place.directory, changed, command);
    await makeDirectory(join(path, ".."));
    await rename(object, path);
    const entry: CacheEntry = { schema: "kgraft-object/1", dependencies, changed };
    await writeWhole(join(place.directory, `${changedKey(changed)}.json`), JSON.stringify(entry));
    return entry;
  } finally {
    await rm(object, { force: true });
    await rm(depfile, { force: true });
  }
}

async function step(
  words: readonly string[],
  unit: string,
  tree: KernelTree,
  root: string,
  signal: AbortSignal,
): Promise<void> {
  const { code, stderr } = await run(words[0]!, words.slice(1), {
    cwd: root,
    signal,
    okCodes: Array.from({ length: 256 }, (_, status) => status),
  });
  if (code === 0) return;
  const shown = stderr.replaceAll(`${root}/`, "").replaceAll(`${tree.sourceDirectory}/`, "");
  throw new CompileFailed(unit, code, shown);
}

function fill(word: string, command: UnitCommand, object: string): string {
  return word.replace("@object", object).replace("@source", command.source);
}

function changedKey(changed: Readonly<Record<string, string>>): string {
  return sha256(JSON.stringify(changed)).slice(0, 32);
}

/** The object keeps its own name: tools and messages show it. */
function objectPath(
  directory: string,
  changed: Readonly<Record<string, string>>,
  command: UnitCommand,
): string {
  return join(directory, changedKey(changed), basename(command.object));
}
