/** What cannot be avoided: the kernel's own compiler on a unit, with the unit's own command. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { compileUnit, type KernelTree } from "@kgraft/kernel";

/** A call that compiles the unit once, its outputs led into a scratch folder. */
export async function compiler(kernel: KernelTree, unit: string, scratch: string): Promise<() => void> {
  const { signal } = new AbortController();
  const { command } = await compileUnit(kernel, { unit, sections: "as-shipped" }, { signal });
  const output = join(scratch, "unit.o");
  const [program, ...words] = command
    .filter((word) => !word.startsWith("-Wp,-MMD"))
    .map((word, index, all) => (all[index - 1] === "-o" ? output : word));
  return () => void execFileSync(program!, words, { cwd: kernel.sourceDirectory, stdio: "pipe" }); // a command has a program
}
