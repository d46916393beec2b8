/**
 * objtool over the joined module, on kernels whose kbuild runs it over a module and not over each unit (IBT, KLP_BUILD):
 * it writes the unwind tables and the lists of calls and returns that the kernel rewrites at load.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, readObject, writeObject } from "@kgraft/elf";
import { type KernelTree, objtoolCommand, run } from "@kgraft/kernel";
import { ShippedKernelUnfit } from "../errors.ts";
import type { JoinedModule } from "./module.ts";

/** The module as objtool leaves it; the same one where the units went through objtool already. */
export async function runObjtool(
  tree: KernelTree,
  joined: JoinedModule,
  signal: AbortSignal,
): Promise<JoinedModule> {
  const objtool = await objtoolCommand(tree);
  if (objtool === null) return joined;
  const directory = await mkdtemp(join(tmpdir(), "kgraft-objtool-"));
  try {
    const path = join(directory, "module.o");
    await writeFile(path, writeObject(joined.object));
    const { code, stderr } = await run(objtool.command, [...objtool.arguments, path], {
      cwd: tree.sourceDirectory,
      signal,
      okCodes: "all",
    });
    // Some versions end well although they gave up: whatever objtool has to say of a live patch, it is not finished.
    if (code !== 0 || stderr.trim() !== "") {
      throw new ShippedKernelUnfit(
        `cannot finish the live patch: objtool ended with ${code}\n${stderr.replaceAll(path, joined.object.name)}`,
        "objtool found code that it cannot follow: the message names the function",
      );
    }
    const object = readObject(bytesSource(joined.object.name, await readFile(path)));
    return { object, references: joined.references };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
