/**
 * One line of kbuild's dry run, read as what it would run for a unit.
 */
import { posix } from "node:path";

/** What kbuild runs for one unit. `@object`, `@source` and `@name` stand for the unit's own. */
export interface UnitCommand {
  /** Path of the source in the tree. */
  readonly unit: string;
  /** The same as kbuild spells it, and so __FILE__: `arch/x86/kvm/../../../virt/kvm/kvm_main.c`. */
  readonly source: string;
  /** Path of the object in the tree, such as `fs/ext4/mballoc.o`. */
  readonly object: string;
  readonly compile: readonly string[];
  /** What runs on the object after it: objtool, where the kernel's configuration says so. */
  readonly after: readonly (readonly string[])[];
  /** Name of the module, or null where the unit is built in. */
  readonly moduleName: string | null;
}

/** Reads one line of the dry run; undefined where it does not compile a C unit of the kernel. */
export function parseRecipe(line: string): UnitCommand | undefined {
  const at = line.indexOf(" -Wp,-MMD,");
  if (at < 0 || !line.includes(" -D__KERNEL__ ")) return undefined;
  const start = Math.max(line.lastIndexOf("; ", at), line.lastIndexOf(";\t", at));
  const commands = splitCommands(line.slice(start < 0 ? 0 : start + 2));
  const compile = commands[0] ?? [];
  const output = compile.indexOf("-o");
  const object = compile[output + 1] ?? "";
  const source = compile.at(-1) ?? "";
  if (output < 0 || !compile.includes("-c") || !object.endsWith(".o") || !source.endsWith(".c"))
    return undefined;
  const name = object.slice(object.lastIndexOf("/") + 1, -2);
  const general = (word: string): string => {
    if (word === object) return "@object";
    if (word.startsWith("-Wp,-MMD,")) return "-Wp,-MMD,@depfile";
    return word === `-DKBUILD_BASENAME="${name.replaceAll("-", "_")}"` ? '-DKBUILD_BASENAME="@name"' : word;
  };
  const after = commands.slice(1).filter((words) => words.at(-1) === object);
  return {
    unit: posix.normalize(source),
    source,
    object,
    compile: [...compile.slice(0, -1).map(general), "@source"],
    after: after.map((words) => words.map(general)),
    moduleName: moduleOf(compile),
  };
}

/** objtool's words, without the object, where the line runs it on a whole module; undefined for all other lines. */
export function parseDelayedObjtool(line: string): readonly string[] | undefined {
  const match = /; *(\S*tools\/objtool\/objtool(?: +--[\w=-]+)+) +\S+\.o\b/.exec(line);
  const words = match?.[1]!.split(/ +/);
  return words?.includes("--link") && words.includes("--module") ? words : undefined;
}

/** Name of the module that a compiler's command line is for; null for what is built in. */
export function moduleOf(compile: readonly string[]): string | null {
  if (!compile.includes("-DMODULE")) return null;
  const word = compile.find((one) => one.startsWith("-DKBUILD_MODNAME="));
  return word?.slice("-DKBUILD_MODNAME=".length).replaceAll('"', "") ?? null;
}

/** Splits a shell line of plain commands at its semicolons, and those into words, quotes removed. */
export function splitCommands(line: string): readonly string[][] {
  const commands: string[][] = [[]];
  let word = "";
  let inWord = false;
  const endWord = (): void => {
    if (inWord) commands.at(-1)!.push(word);
    word = "";
    inWord = false;
  };
  const token = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([\s]+)|(;)|([^\s;'"\\]+)/g;
  for (const [, single, double, escaped, space, semicolon, plain] of line.matchAll(token)) {
    if (space !== undefined) endWord();
    else if (semicolon !== undefined) {
      endWord();
      commands.push([]);
    } else {
      word += single ?? double?.replaceAll(/\\([\\"$`])/g, "$1") ?? escaped ?? plain ?? "";
      inWord = true;
    }
  }
  endWord();
  return commands.filter((words) => words.length > 0);
}
