/**
 * The commands of all units as one file. Thousands of commands of 180 words differ in a few of them, so words
 * are kept once and commands as templates of word numbers: 4,700 commands in 2 MB, read in some milliseconds.
 */
import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { BadInput, UnitNotCompiled } from "./errors.ts";
import { moduleOf, type UnitCommand } from "./recipe.ts";
import { isThere, type KernelRecord } from "./tree.ts";

export interface CommandTable {
  readonly schema: "kgraft-commands/3";
  readonly words: readonly string[];
  /** Numbers of words: the compiler's command line; after each semicolon one of what runs on the object. */
  readonly templates: readonly string[];
  /** unit -> template, object, source as kbuild spells it */
  readonly units: Readonly<Record<string, readonly [number, string, string]>>;
  /** Where objtool runs on a module as a whole instead of on its units: program and arguments, without the object. */
  readonly objtool?: readonly string[];
}

export class CommandTableBuilder {
  readonly #words = new Map<string, number>();
  readonly #templates = new Map<string, number>();
  #objtool: readonly string[] | undefined;
  readonly #units: Record<string, readonly [number, string, string]> = {};

  add(command: UnitCommand): void {
    const commands = [command.compile, ...command.after];
    const template = commands
      .map((words) => words.map((word) => numberOf(this.#words, word)).join(" "))
      .join(";");
    const entry = [numberOf(this.#templates, template), command.object, command.source] as const;
    // lib/ctype.c is compiled for the kernel and, with other flags, for the EFI stub: its own object is meant.
    const own = posix.normalize(command.object) === `${command.unit.slice(0, -2)}.o`;
    if (own) this.#units[command.unit] = entry;
    else this.#units[command.unit] ??= entry;
  }

  addObjtool(words: readonly string[]): void {
    this.#objtool ??= words;
  }

  table(): CommandTable {
    return {
      schema: "kgraft-commands/3",
      words: [...this.#words.keys()],
      templates: [...this.#templates.keys()],
      units: this.#units,
      ...(this.#objtool === undefined ? {} : { objtool: this.#objtool }),
    };
  }
}

function numberOf(numbers: Map<string, number>, key: string): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  numbers.set(key, numbers.size);
  return numbers.size - 1;
}

const loaded = new Map<string, Promise<CommandTable>>();

/** The command table of a prepared kernel; read once per process. */
export function loadCommands(directory: string): Promise<CommandTable> {
  const path = join(directory, "commands.json");
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const reading = readFile(path, "utf8").then((text) => {
    const table = JSON.parse(text) as Partial<CommandTable>;
    if (table.schema === "kgraft-commands/3") return table as CommandTable;
    throw new BadInput(`read ${path}`, `schema ${table.schema}`, "kgraft-commands/3");
  });
  loaded.set(path, reading);
  reading.catch(() => loaded.delete(path));
  return reading;
}

/** The command of one unit. Throws UnitNotCompiled. */
export async function commandOf(
  tree: Pick<KernelRecord, "release"> & { readonly directory: string },
  unit: string,
): Promise<UnitCommand> {
  const table = await loadCommands(tree.directory);
  const found = Object.hasOwn(table.units, unit) ? table.units[unit] : undefined;
  if (found === undefined) throw new UnitNotCompiled(unit, tree.release);
  const [index, object, source] = found;
  const name = object.slice(object.lastIndexOf("/") + 1, -2).replaceAll("-", "_");
  const [compile, ...after] = commandsAt(table, index);
  const words = compile!.map((word) => word.replace('"@name"', `"${name}"`));
  // A module of one unit gets the objtool of the whole module: like all others, its unit is compiled without.
  const own = table.objtool === undefined ? after : [];
  return { unit, source, object, compile: words, after: own, moduleName: moduleOf(words) };
}

/** Whether a unit can be compiled here: its command is known, and its source is there, which kbuild writes for a few. */
export async function isCompilable(
  tree: { readonly directory: string; readonly sourceDirectory: string },
  unit: string,
): Promise<boolean> {
  const { units } = await loadCommands(tree.directory);
  return Object.hasOwn(units, unit) && isThere(join(tree.sourceDirectory, units[unit]![2]));
}

export interface ObjtoolCommand {
  readonly command: string;
  /** The kernel's own, for a linked module; the object to work on comes after them. */
  readonly arguments: readonly string[];
}

/**
 * What kbuild runs on a module's linked object, to be run in the tree; null where it has run on each unit already
 * (`compileUnit` does so). Kernels with IBT or KLP_BUILD delay it, because what may be called indirectly is known
 * of a whole module only: their units are compiled without it.
 */
export async function objtoolCommand(tree: {
  readonly directory: string;
  readonly sourceDirectory: string;
}): Promise<ObjtoolCommand | null> {
  const { objtool } = await loadCommands(tree.directory);
  if (objtool === undefined) return null;
  return { command: join(tree.sourceDirectory, objtool[0]!), arguments: objtool.slice(1) };
}

/** The commands of a template, words spelled out. */
export function commandsAt(table: CommandTable, template: number): readonly (readonly string[])[] {
  return table.templates[template]!.split(";").map((numbers) =>
    numbers.split(" ").map((number) => table.words[Number(number)]!),
  );
}
