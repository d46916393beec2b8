/**
 * The exact command of every unit, out of kbuild's own mouth.
 *
 * A unit's flags follow from its Makefile, its directory's, whether it belongs to a module, and what that
 * module is called. Rather than imitate that, kbuild is asked once for a dry run of the whole kernel
 * (`make -n vmlinux modules`, nine seconds): it prints what it would run for every unit, and nothing is built.
 * Compiling a unit afterwards needs no make at all. A unit that is not in the answer is not in the kernel.
 *
 * A recipe line of the dry run looks like this:
 *
 *     set -e; echo '  CC      fs/ext4/mballoc.o'; trap '...' PIPE; gcc-12 -Wp,-MMD,fs/ext4/.mballoc.o.d ...
 *       -c -o fs/ext4/mballoc.o fs/ext4/mballoc.c   ; ./tools/objtool/objtool ... fs/ext4/mballoc.o
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandTableBuilder } from "./command-table.ts";
import { CommandFailed } from "./errors.ts";
import { parseRemade } from "./generated.ts";
import type { WorkOptions } from "./progress.ts";
import { parseDelayedObjtool, parseRecipe } from "./recipe.ts";
import { run } from "./run.ts";
import { type KernelRecord, makeArguments } from "./tree.ts";
import { writeWhole } from "./write-whole.ts";

/** Asks kbuild for all commands and writes them to `file`. Returns the sources it would generate first. */
export async function collectCommands(
  kernel: Pick<KernelRecord, "release" | "architecture" | "compiler">,
  sourceDirectory: string,
  file: string,
  work: WorkOptions,
): Promise<readonly string[]> {
  work.onProgress({ stage: "commands", message: "asking kbuild for the command of every unit" });
  const builder = new CommandTableBuilder();
  const generated = new Set<string>();
  const read = (line: string): void => {
    const command = parseRecipe(line);
    if (command !== undefined) builder.add(command);
    const objtool = parseDelayedObjtool(line);
    if (objtool !== undefined) builder.addObjtool(objtool);
    const path = parseRemade(line);
    if (path !== undefined) generated.add(path);
  };
  let rest = "";
  const onStdout = (chunk: Buffer): void => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop()!;
    for (const line of lines) read(line);
  };
  // Not even a dry run passes by a tool's missing output directories; the tool itself is not built.
  for (const library of ["libsubcmd", "libbpf"]) {
    await mkdir(join(sourceDirectory, "tools/bpf/resolve_btfids", library), { recursive: true });
  }
  // -k, and a failure is no failure: what only the distribution has, such as its signing key, is missing.
  // Without Rust: its compiler is looked for before anything else, and C units do not ask for it.
  const ask = async (goals: readonly string[]): Promise<string> => {
    const args = [...makeArguments(kernel), "CONFIG_RUST=", "-n", "-k", "--debug=b", ...goals];
    const { stderr } = await run("make", args, {
      cwd: sourceDirectory,
      signal: work.signal,
      okCodes: [0, 2],
      onStdout,
    });
    read(rest);
    rest = "";
    return stderr;
  };
  const stderr = await ask(["vmlinux", "modules"]);
  // What Rust calls of C is left out with it: a unit of the kernel itself, with all that such units are compiled with.
  if (/^CONFIG_RUST=y$/m.test(await readFile(join(sourceDirectory, ".config"), "utf8"))) {
    await ask(["part-of-builtin=y", "rust/helpers/helpers.o"]);
  }
  const table = builder.table();
  if (Object.keys(table.units).length === 0) {
    throw new CommandFailed("ask kbuild for the commands of the units", 2, stderr);
  }
  await writeWhole(file, JSON.stringify(table));
  return [...generated];
}
