/** What the tests in guests share: the stock kernel, the modules of test/modules made for it, and kgr in a guest. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { fetchKernel, type KernelTree, makeArguments } from "@kgraft/kernel";
import { bootGuest, type Guest, type GuestFile, type GuestOptions } from "@kgraft/lab";
import { newestRelease } from "../../kernel/test/newest-release.ts";
import { buildKgr } from "../build/mod.ts";
import { manifestOf } from "./manifest.ts";

const { signal } = new AbortController();

/** Three generations of kernels: 6.1, 6.12 and the newest. */
export type Suite = "bookworm" | "trixie" | "sid";

/** Debian's stock kernel that the guests run. */
export async function testKernel(suite: Suite = "bookworm"): Promise<KernelTree> {
  const release = suite === "bookworm" ? "6.1.0-55-cloud-amd64" : await newestRelease(suite);
  return fetchKernel({ release, suite }, { onProgress: () => {}, signal });
}

/** Makes modules of test/modules, those of its Makefile where none are named. @returns the folder with the .ko files, to be removed */
export async function makeModules(kernel: KernelTree, names?: readonly string[]): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "kgr-modules-"));
  await cp(path.join(import.meta.dirname, "modules"), folder, { recursive: true });
  await makeIn(kernel, folder, names === undefined ? [] : [`LP_MODULES=${names.join(" ")}`]);
  return folder;
}

/** As {@link bootWithModules}, with manifests beside these modules: what each replaces, as `OBJECT:NAME`. */
export async function bootWithManifests(
  replaced: Readonly<Record<string, readonly string[]>>,
  options: ModulesInGuest = {},
  more: readonly GuestFile[] = [],
): Promise<Guest> {
  const kernel = await testKernel(options.suite);
  return bootWithModules(more, options, async (folder) => {
    const files: GuestFile[] = [];
    for (const [name, functions] of Object.entries(replaced)) {
      const manifest = manifestOf(kernel, name, await readFile(path.join(folder, `${name}.ko`)), functions);
      files.push({ path: `/p/${name}.json`, source: Buffer.from(JSON.stringify(manifest)) });
    }
    return files;
  });
}

/** Makes the modules of a folder that has a Makefile of kbuild's kind. */
export async function makeIn(
  kernel: KernelTree,
  folder: string,
  variables: readonly string[] = [],
): Promise<void> {
  const args = ["-C", kernel.sourceDirectory, ...makeArguments(kernel), ...variables, `M=${folder}`];
  await promisify(execFile)("make", ["-j2", ...args, "modules"]);
}

/** Compiles one of test/programs; it needs nothing in the guest. */
export async function makeProgram(name: string): Promise<GuestFile> {
  const folder = await mkdtemp(path.join(tmpdir(), "kgr-program-"));
  try {
    const output = path.join(folder, name);
    const source = path.join(import.meta.dirname, "programs", `${name}.c`);
    await promisify(execFile)("gcc", ["-O2", "-Wall", "-static", "-pthread", "-o", output, source]);
    return { path: `/bin/${name}`, source: await readFile(output), mode: 0o755 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The binary in a guest, also as klp. */
export async function kgrFiles(): Promise<readonly GuestFile[]> {
  const source = await buildKgr({ signal });
  return ["/bin/kgr", "/bin/klp"].map((name) => ({ path: name, source, mode: 0o755 }));
}

export interface ModulesInGuest extends Partial<GuestOptions> {
  readonly suite?: Suite;
  /** Which modules of test/modules; those of its Makefile where not given. */
  readonly names?: readonly string[];
}

/** A guest with kgr, also as klp, and the modules in /p. */
export async function bootWithModules(
  more: readonly GuestFile[] = [],
  { suite, names, ...options }: ModulesInGuest = {},
  filesFor: (folder: string) => Promise<readonly GuestFile[]> = () => Promise.resolve([]),
): Promise<Guest> {
  const kernel = await testKernel(suite);
  const folder = await makeModules(kernel, names);
  try {
    const modules = (await readdir(folder)).filter((name) => name.endsWith(".ko"));
    const files: readonly GuestFile[] = [
      ...(await kgrFiles()),
      ...modules.map((name) => ({ path: `/p/${name}`, source: path.join(folder, name) })),
      ...more,
      ...(await filesFor(folder)),
    ];
    return await bootGuest({ kernel, files, timeoutMs: 300_000, ...options });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A command as an ordinary user's. */
export function asNobody(command: string): string {
  return `su -s /bin/sh nobody -c '${command}'`;
}
