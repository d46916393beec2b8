/**
 * Assembly, as far as a live patch is concerned: whether a change reaches it. kbuild's dry run says how C is compiled; for
 * assembly what the preprocessor makes of it is enough, and that follows from the folders of headers and the kernel's
 * definitions, which are the same for all units.
 */
import { cleanEnvironment, run } from "./run.ts";
import { commandOf } from "./command-table.ts";
import { compilerPath, type KernelTree } from "./tree.ts";

/** A unit that every kernel has. */
const anyUnit = "init/main.c";

/**
 * The text that the assembler gets, without the numbers of lines and without empty ones.
 *
 * @param root the tree to read in: the prepared one or a shadow of it
 * @throws {CommandFailed} when the preprocessor cannot go through it
 */
export async function preprocessAssembly(
  tree: KernelTree,
  unit: string,
  { root, signal }: { readonly root: string; readonly signal: AbortSignal },
): Promise<string> {
  const { compile } = await commandOf(tree, anyUnit);
  const words = compile.filter(
    (word, index) =>
      /^-(I|D(?!KBUILD_|MODULE)|include$|nostdinc$|m64$)/.test(word) || compile[index - 1] === "-include",
  );
  const { stdout } = await run(
    compilerPath(tree.compiler),
    ["-E", "-P", "-x", "assembler-with-cpp", "-D__ASSEMBLY__", ...words, unit],
    { cwd: root, signal, env: cleanEnvironment() },
  );
  // Where a comment or C code was left out, more or fewer lines are empty.
  return stdout
    .split("\n")
    .filter((line) => line.trim() !== "")
    .join("\n");
}
