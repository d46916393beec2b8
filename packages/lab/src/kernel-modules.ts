/**
 * Which module files a guest must load, and in which order.
 *
 * depmod's modules.dep is written when a kernel package is installed, and is absent where the package is only
 * unpacked. Each module carries the same knowledge itself, in its .modinfo section: `depends=a,b`. Files are
 * found by name, where `-` and `_` mean the same (Documentation/kbuild/modules.rst; kmod does it so).
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { KernelModuleMissing } from "./errors.ts";

export interface KernelModule {
  readonly name: string;
  /** The ELF object, decompressed. */
  readonly contents: Uint8Array;
  readonly depends: readonly string[];
}

const maxModuleSizeBytes = 64 * 1024 * 1024;
const suffix = /\.ko(\.xz|\.zst)?$/;

const canonical = (name: string): string => name.replaceAll("-", "_");

/** Where the modules of a kernel lie: path by name. Modules built into the kernel have no file: null. */
async function moduleIndex(modulesDirectory: string): Promise<Map<string, string | null>> {
  const index = new Map<string, string | null>();
  try {
    const builtin = await readFile(join(modulesDirectory, "modules.builtin"), "utf8");
    for (const line of builtin.split("\n").filter((text) => suffix.test(text))) {
      index.set(canonical(basename(line).replace(suffix, "")), null);
    }
    for (const path of await readdir(modulesDirectory, { recursive: true })) {
      if (suffix.test(path))
        index.set(canonical(basename(path).replace(suffix, "")), join(modulesDirectory, path));
    }
  } catch (cause) {
    throw new KernelModuleMissing(
      `cannot list modules in ${modulesDirectory}: the directory cannot be read`,
      { cause },
    );
  }
  return index;
}

async function readModule(path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const options = { encoding: "buffer", maxBuffer: maxModuleSizeBytes, ...(signal && { signal }) } as const;
  if (path.endsWith(".xz")) return (await promisify(execFile)("xz", ["-dc", path], options)).stdout;
  const bytes = await readFile(path, { ...(signal && { signal }) });
  return path.endsWith(".zst")
    ? promisify(zstdDecompress)(bytes, { maxOutputLength: maxModuleSizeBytes })
    : bytes;
}

/** The names after `depends=` in a module's .modinfo strings. */
export function dependsOf(contents: Uint8Array): readonly string[] {
  const text = Buffer.from(contents.buffer, contents.byteOffset, contents.byteLength).toString("latin1");
  const match = /(?:^|\0)depends=([A-Za-z0-9_,-]*)\0/.exec(text);
  return match?.[1] ? match[1].split(",").map(canonical) : [];
}

/**
 * The named modules and all they depend on, each after what it needs. Built-in ones are left out.
 *
 * @throws KernelModuleMissing where the kernel has no such module
 */
export async function resolveModules(
  modulesDirectory: string,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<readonly KernelModule[]> {
  const index = await moduleIndex(modulesDirectory);
  const ordered = new Map<string, KernelModule | null>();
  const visit = async (name: string, neededBy: string): Promise<void> => {
    if (ordered.has(name)) return;
    ordered.set(name, null);
    const path = index.get(name);
    if (path === null) return;
    if (path === undefined) {
      throw new KernelModuleMissing(
        `cannot load module ${name}${neededBy}: no ${name}.ko in ${modulesDirectory}`,
      );
    }
    let contents: Uint8Array;
    try {
      contents = await readModule(path, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      throw new KernelModuleMissing(`cannot read module ${path}: ${String(cause)}`, { cause });
    }
    const depends = dependsOf(contents);
    for (const needed of depends) await visit(needed, ` for ${name}`);
    ordered.delete(name);
    ordered.set(name, { name, contents, depends });
  };
  for (const name of names) await visit(canonical(name), "");
  return [...ordered.values()].filter((module) => module !== null);
}
