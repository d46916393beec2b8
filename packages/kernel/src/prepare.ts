/**
 * Makes of a source package a tree in which single units and modules can be built exactly as the distribution
 * built them.
 *
 * The usual road, `make olddefconfig modules_prepare`, asks the machine again what the distribution's build
 * machine once answered: which compiler flags work, whether pahole is there, who builds. Any difference would
 * change the configuration silently. The headers package carries the answers: .config, auto.conf, autoconf.h and
 * every generated header. They are laid into the tree with times that make kbuild take them as up to date, so
 * that no configuration step runs; only the tools (fixdep, modpost, objtool) are built, and what kbuild
 * regenerated on the way is put back to what was shipped.
 */
import { cp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { architectures } from "./architecture.ts";
import type { WorkOptions } from "./progress.ts";
import { run, runScript } from "./run.ts";
import { type KernelRecord, makeArguments } from "./tree.ts";
import { makeDirectory } from "./write-whole.ts";

/** What no build of a unit or a module reads: three quarters of the files of a full tree are left out. */
function leftOut(keepArch: string): readonly string[] {
  const others =
    "alpha arc arm arm64 csky hexagon ia64 loongarch m68k microblaze mips nios2 openrisc parisc powerpc riscv s390 sh sparc um x86 xtensa";
  return [
    "*/Documentation/*/*",
    "*/tools/testing",
    "*/samples/*/*",
    "*/LICENSES",
    ...others.split(" ").flatMap((name) => (name === keepArch ? [] : [`linux-source-*/arch/${name}`])),
  ].map((pattern) => `--exclude=${pattern}`);
}

/** Unpacks the tar ball inside a linux-source package. */
export async function unpackSource(
  packagePath: string,
  kernel: Pick<KernelRecord, "architecture">,
  sourceDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  await makeDirectory(sourceDirectory);
  const excludes = leftOut(architectures[kernel.architecture].kbuild);
  await runScript(
    `deb=$1 to=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" |
     tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc -T0 |
     tar -x -C "$to" --strip-components=1 --no-same-owner "$@" -f -`,
    [packagePath, sourceDirectory, ...excludes],
    { signal },
  );
}

/** Unpacks a package, or what of it the tar arguments name, with the leading `./` or `./usr/` left off. */
export async function unpackPackage(
  packagePath: string,
  directory: string,
  tarArguments: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await makeDirectory(directory);
  await runScript(
    `deb=$1 to=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$to" --no-same-owner "$@" -f -`,
    [packagePath, directory, ...tarArguments],
    { signal },
  );
}

/** Lays the shipped configuration and generated headers into the tree and builds the tools. */
export async function prepareTree(
  kernel: Pick<KernelRecord, "release" | "architecture" | "compiler">,
  headersDirectory: string,
  sourceDirectory: string,
  work: WorkOptions,
): Promise<void> {
  work.onProgress({ stage: "prepare", message: "configuration, headers and tools" });
  await copyShipped(kernel, headersDirectory, sourceDirectory);
  await pretendConfigured(sourceDirectory);
  const args = [...makeArguments(kernel), "-j2", "-s"];
  // BTF is switched off for these tools only: resolve_btfids would be built for nothing, since no module of
  // ours gets BTF of its own. So is Rust, which C units are not compiled by.
  await run(
    "make",
    [...args, "CONFIG_DEBUG_INFO_BTF=", "CONFIG_DEBUG_INFO_BTF_MODULES=", "CONFIG_RUST=", "modules_prepare"],
    {
      cwd: sourceDirectory,
      signal: work.signal,
    },
  );
  await copyShipped(kernel, headersDirectory, sourceDirectory);
  await pretendConfigured(sourceDirectory);
  // kbuild would write the time of a build of ours here, which init/version.c reads.
  const generated = join(sourceDirectory, "include/generated/utsversion.h");
  await cp(generated, join(sourceDirectory, "init/utsversion-tmp.h"), { preserveTimestamps: true });
}

async function copyShipped(
  kernel: Pick<KernelRecord, "architecture">,
  headersDirectory: string,
  sourceDirectory: string,
): Promise<void> {
  const arch = architectures[kernel.architecture].kbuild;
  const parts = [
    ".config",
    "Module.symvers",
    "include/generated",
    "include/config",
    `arch/${arch}/include/generated`,
  ];
  for (const part of parts) {
    await cp(join(headersDirectory, part), join(sourceDirectory, part), {
      recursive: true,
      force: true,
      preserveTimestamps: true,
    });
  }
}

/** Gives the configuration's files the times of one that was just synchronised. */
async function pretendConfigured(sourceDirectory: string): Promise<void> {
  const old = new Date("2000-01-01T00:00:00Z");
  const now = new Date();
  await utimes(join(sourceDirectory, ".config"), old, old);
  await writeFile(join(sourceDirectory, "include/config/auto.conf.cmd"), "");
  const fresh = ["include/config/auto.conf", "include/generated/autoconf.h", "include/generated/rustc_cfg"];
  for (const file of fresh) {
    const path = join(sourceDirectory, file);
    await utimes(path, now, now).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      await writeFile(path, "");
    });
  }
}

/** Where the headers package keeps its tree. */
export function headersPath(unpacked: string, release: string): string {
  return join(unpacked, "usr/src", `linux-headers-${release}`);
}

/** Removes what interrupted work has left. */
export async function removeTree(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

export function readConfig(headersDirectory: string): Promise<string> {
  return readFile(join(headersDirectory, ".config"), "utf8");
}
