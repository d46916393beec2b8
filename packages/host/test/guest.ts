/** What the tests in guests share: the stock kernel, the modules of test/modules made for it, and kgr in a guest. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { fetchKernel, type KernelTree, makeArguments } from "@kgraft/kernel";
import { bootGuest, type Guest, type GuestFile, type GuestOptions } from "@kgraft/lab";
import { buildKgr } from "../build/mod.ts";
import { manifestOf } from "./manifest.ts";

const { signal } = new AbortController();

/** Debian's stock kernel that the guests run. */
export async function testKernel(): Promise<KernelTree> {
  return fetchKernel({ release: "6.1.0-55-cloud-amd64" }, { onProgress: () => {}, signal });
}

/** Makes all modules of test/modules. @returns the folder with the .ko files, to be removed */
export async function makeModules(kernel: KernelTree): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "kgr-modules-"));
  await cp(path.join(import.meta.dirname, "modules"), folder, { recursive: true });
  const args = ["-C", kernel.sourceDirectory, ...makeArguments(kernel), `M=${folder}`, "modules"];
  await promisify(execFile)("make", args);
  return folder;
}

/** As {@link bootWithModules}, with manifests beside these modules: what each replaces, as `OBJECT:NAME`. */
export async function bootWithManifests(
  replaced: Readonly<Record<string, readonly string[]>>,
  options: Partial<GuestOptions> = {},
): Promise<Guest> {
  const kernel = await testKernel();
  return bootWithModules([], options, async (folder) => {
    const files: GuestFile[] = [];
    for (const [name, functions] of Object.entries(replaced)) {
      const manifest = manifestOf(kernel, name, await readFile(path.join(folder, `${name}.ko`)), functions);
      files.push({ path: `/p/${name}.json`, source: Buffer.from(JSON.stringify(manifest)) });
    }
    return files;
  });
}

/** A guest with kgr, also as klp, and the modules in /p. */
export async function bootWithModules(
  more: readonly GuestFile[] = [],
  options: Partial<GuestOptions> = {},
  filesFor: (folder: string) => Promise<readonly GuestFile[]> = () => Promise.resolve([]),
): Promise<Guest> {
  const kernel = await testKernel();
  const folder = await makeModules(kernel);
  try {
    const binary = await buildKgr({ signal });
    const modules = (await readdir(folder)).filter((name) => name.endsWith(".ko"));
    const files: readonly GuestFile[] = [
      { path: "/bin/kgr", source: binary, mode: 0o755 },
      { path: "/bin/klp", source: binary, mode: 0o755 },
      ...modules.map((name) => ({ path: `/p/${name}`, source: path.join(folder, name) })),
      ...more,
      ...(await filesFor(folder)),
    ];
    return await bootGuest({ kernel, files, timeoutMs: 300_000, ...options });
  } finally {
    await rm(folder, { recursive: true });
  }
}
