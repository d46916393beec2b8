/**
 * The compiler of another suite, without root, chroot or container: its packages unpacked into a directory, and
 * its programs made to run there.
 *
 * A gcc of Debian 13 does not run on Debian 12 as it is: its interpreter and its libraries are newer than the
 * machine's. Both are in the packages it depends on, and the dynamic loader is a program that can be called by
 * name: `ld-linux-x86-64.so.2 --library-path DIR --argv0 NAME PROGRAM`. So each program is set aside as NAME.elf,
 * and NAME becomes a script of two lines that starts it so. gcc finds its own parts relative to the name it was
 * called by, which is why that name is passed on; the assembler, which it would look for on the PATH, is laid
 * where it looks first. Nothing is set in the environment, so the machine's own programs, started by the same
 * make, are not disturbed. Scripts find their place by their own name: the directory can be moved.
 * Source: ld.so(8); GCC Internals, "Collect2"; GCC manual, "Environment Variables" (GCC_EXEC_PREFIX).
 */
import { chmod, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { findSection, sectionData } from "@kgraft/elf";
import { type Apt, closureOf, type PackageFile, updateIndex, versionsOf } from "./apt.ts";
import { type Architecture, architectures } from "./architecture.ts";
import { sha256, withLock } from "./cache.ts";
import { checkCompiler, packageOf } from "./compiler.ts";
import { download, downloadsDirectory } from "./download.ts";
import { withElfFile } from "./elf-file.ts";
import { CompilerMismatch, isNoSpace, NoSpace } from "./errors.ts";
import { removeTree, unpackPackage } from "./prepare.ts";
import type { WorkOptions } from "./progress.ts";
import { run } from "./run.ts";
import { type Compiler, isThere, toolchainsDirectory } from "./tree.ts";
import { makeDirectory } from "./write-whole.ts";

/** Raised whenever a toolchain's directory is laid out otherwise. */
const layout = "kgraft-toolchain/1";

/** What compiling a kernel does not need: two thirds of the packages' contents. */
const leftOut = ["usr/share", "*.a", "*/lto1", "*lto-dump*", "*gprofng*", "*/gconv", "*/lib*san.so*"].map(
  (pattern) => `--exclude=${pattern.startsWith("*") ? pattern : `./${pattern}`}`,
);

export interface Wanted {
  readonly release: string;
  readonly suite: string;
  readonly compiler: Compiler;
}

/**
 * The compiler that made a kernel: the machine's own where it is the exact one, else that of the kernel's suite,
 * fetched when it is not in the cache yet. Throws CompilerMismatch where neither is, DownloadFailed, NoSpace.
 */
export async function exactCompiler(wanted: Wanted, work: WorkOptions): Promise<Compiler> {
  const { release, compiler } = wanted;
  try {
    await checkCompiler(release, compiler, work.signal);
    return compiler;
  } catch (error) {
    if (!(error instanceof CompilerMismatch)) throw error;
  }
  const own: Compiler = { ...compiler, toolchain: await fetchToolchain(wanted, work) };
  await checkCompiler(release, own, work.signal);
  return own;
}

async function fetchToolchain(wanted: Wanted, work: WorkOptions): Promise<string> {
  // 1. Which packages: what apt would install on an empty machine.
  const architecture = machineArchitecture();
  const apt = await updateIndex(wanted.suite, architecture, work);
  const { name: compilerPackage, version } = await packageWanted(wanted, apt, work.signal);
  const packages = await closureOf(apt, { name: compilerPackage, version }, work.signal);
  const hashes = packages.map((file) => file.sha256).toSorted();
  const name = `${wanted.suite}-${version}-${sha256([layout, ...hashes].join("\n")).slice(0, 16)}`;
  const directory = join(toolchainsDirectory(), name);
  await withLock(join(toolchainsDirectory(), `.${name}.lock`), work, async () => {
    if (await isThere(directory)) return;
    // 2. Fetched, unpacked and made to run under a hidden name, then made visible.
    const partial = join(toolchainsDirectory(), `.${name}.partial`);
    await removeTree(partial);
    try {
      const paths = await download(packages, work);
      work.onProgress({ stage: "toolchain", message: `${compilerPackage} ${version} of ${wanted.suite}` });
      await unpackAll(paths, partial, work.signal);
      await makeRunnable(partial, wanted.compiler.command, architectures[architecture].triplet);
      await checkCompiler(wanted.release, { ...wanted.compiler, toolchain: basename(partial) }, work.signal);
      await run("sync", ["-f", partial], { signal: work.signal });
      await rename(partial, directory);
    } catch (error) {
      await removeTree(partial);
      if (isNoSpace(error)) throw new NoSpace(partial, { cause: error });
      throw error;
    }
    for (const { file } of packages) await rm(join(downloadsDirectory(), file), { force: true });
  });
  return name;
}

/** The compiler's package in the version that made the kernel. Throws CompilerMismatch. */
async function packageWanted(
  { release, suite, compiler }: Wanted,
  apt: Apt,
  signal: AbortSignal,
): Promise<Pick<PackageFile, "name" | "version">> {
  const name = packageOf(compiler.command);
  const versions = await versionsOf(apt, name, signal);
  const source = sourceVersionOf(compiler.version);
  const version = versions.find((one) => one.replace(/(cross\d+)?(\+b\d+)?$/, "") === source);
  if (version !== undefined) return { name, version };
  const found = versions.length === 0 ? `no ${name} in ${suite}` : `${name} ${versions[0]} in ${suite}`;
  const hint = `${suite} no longer carries the compiler of this kernel: take a newer kernel of ${suite}`;
  throw new CompilerMismatch(release, found, compiler.version, hint);
}

/** `gcc-14 (Debian 14.2.0-19) 14.2.0` is version 14.2.0-19 of its package. */
export function sourceVersionOf(versionText: string): string | undefined {
  return /\(Debian ([^)\s]+)\)/.exec(versionText)?.[1];
}

function machineArchitecture(): Architecture {
  const found = Object.entries(architectures).find(([, facts]) => facts.node === process.arch);
  return found === undefined ? "amd64" : (found[0] as Architecture);
}

async function unpackAll(packages: readonly string[], root: string, signal: AbortSignal): Promise<void> {
  await makeDirectory(root);
  // What base-files brings, and programs name their interpreter by.
  for (const part of ["bin", "lib", "lib64"]) {
    await makeDirectory(join(root, "usr", part));
    await symlink(join("usr", part), join(root, part));
  }
  for (const path of packages) {
    await unpackPackage(path, root, ["--keep-directory-symlink", ...leftOut], signal);
  }
}

/** Puts the script in place of each program, and the assembler and linker beside each compiler proper. */
async function makeRunnable(root: string, command: string, triplet: string): Promise<void> {
  const libraries = join(root, "usr/lib", triplet);
  const places: { readonly path: string; readonly interpreter: string }[] = [];
  for (const directory of ["usr/bin", "usr/libexec", "usr/lib/gcc", "usr/lib/gcc-cross"]) {
    const entries = await readdir(join(root, directory), { withFileTypes: true, recursive: true }).catch(
      (): never[] => [],
    );
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      const interpreter = interpreterOf(path);
      if (interpreter !== undefined) places.push({ path, interpreter: join(root, interpreter) });
    }
  }
  const toolPrefix = join(root, "usr/bin", /^(.*-)?gcc(-\d+)?$/.exec(command)?.[1] ?? `${triplet}-`);
  for (const { path, interpreter } of places) {
    await rename(path, `${path}.elf`);
    await writeScript(path, { program: `${path}.elf`, interpreter, libraries });
    if (basename(path) !== "cc1") continue;
    for (const tool of ["as", "ld"]) {
      const program = `${toolPrefix}${tool === "ld" ? "ld.bfd" : tool}.elf`;
      await writeScript(join(dirname(path), tool), { program, interpreter, libraries });
    }
  }
}

/** The interpreter that a program names; undefined for what is no program, or needs none. */
function interpreterOf(path: string): string | undefined {
  try {
    return withElfFile(path, basename(path), (file) => {
      const section = findSection(file, ".interp");
      return section && Buffer.from(sectionData(file, section)).toString("latin1").replace(/\0.*$/s, "");
    });
  } catch {
    return undefined;
  }
}

async function writeScript(
  path: string,
  call: { readonly program: string; readonly interpreter: string; readonly libraries: string },
): Promise<void> {
  const at = (target: string): string => `"$here/${relative(dirname(path), target)}"`;
  const words = `--inhibit-cache --library-path ${at(call.libraries)} --argv0 "$0" ${at(call.program)} "$@"`;
  await writeFile(path, `#!/bin/sh\nhere=\${0%/*}\nexec ${at(call.interpreter)} ${words}\n`);
  await chmod(path, 0o755);
}
