/** The object that every live patch of one kernel has in common (glue.c), compiled by that kernel's kbuild. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bytesSource, type ElfObject, readObject, SHF_ALLOC } from "@kgraft/elf";
import { type KernelTree, makeArguments, objtoolCommand, run } from "@kgraft/kernel";
import { ShippedKernelUnfit } from "../errors.ts";

/** Compiles glue.c unless the kernel's cache has it already. */
export async function glueObject(tree: KernelTree, signal: AbortSignal): Promise<ElfObject> {
  const source = await readFile(new URL("glue.c", import.meta.url));
  // Where objtool runs over the whole module, it must find no part of it treated already.
  const untreated = (await objtoolCommand(tree)) === null ? "" : "OBJECT_FILES_NON_STANDARD := y\n";
  const kbuild = `obj-m := kgraft_glue.o\n${untreated}`;
  const key = createHash("sha256").update(source).update(kbuild).digest("hex").slice(0, 16);
  const path = join(tree.directory, "glue", `${key}.o`);
  const cached = await readFile(path).catch(() => undefined);
  return keepLoaded(
    readObject(bytesSource("glue.o", cached ?? (await compile(tree, { source, kbuild }, path, signal)))),
  );
}

async function compile(
  tree: KernelTree,
  { source, kbuild }: { readonly source: Uint8Array; readonly kbuild: string },
  path: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const cache = dirname(path);
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(join(cache, "compile-"));
  try {
    await writeFile(join(directory, "kgraft_glue.c"), source);
    await writeFile(join(directory, "Kbuild"), kbuild);
    const words = ["-C", tree.sourceDirectory, `M=${directory}`, ...makeArguments(tree), "kgraft_glue.o"];
    const { code, stderr } = await run("make", words, {
      signal,
      okCodes: "all",
    });
    if (code !== 0) {
      throw new ShippedKernelUnfit(
        `cannot compile the module's glue for ${tree.release}: make ended with ${code}\n${stderr}`,
        `kgraft kernel fetch ${tree.release} prepares the kernel's tree; kgraft doctor names missing tools`,
      );
    }
    const object = join(directory, "glue.o");
    await copyFile(join(directory, "kgraft_glue.o"), object);
    await rename(object, path);
    return await readFile(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Without debug data and notes. */
function keepLoaded(object: ElfObject): ElfObject {
  const sections = object.sections.filter(
    ({ flags, name }) =>
      ((flags & SHF_ALLOC) !== 0 || name.startsWith(".discard")) && !name.startsWith(".note"),
  );
  const symbols = object.symbols.filter(
    ({ place }) => place.kind !== "section" || sections.includes(place.section),
  );
  return { ...object, sections, symbols };
}
