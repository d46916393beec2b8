/**
 * From a release's name to a prepared kernel.
 *
 * Packages of one version make a kernel: the image (what boots, and the shipped modules; a suite may have split
 * it), its -dbg (vmlinux with symbols, BTF, DWARF and relocations), its headers (configuration, generated headers,
 * Module.symvers), and the source they were built from. Nothing is visible under the kernel's name until all of it is there.
 */
import { rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { readBuildId } from "@kgraft/elf";
import { allOrNone } from "./all-or-none.ts";
import {
  type Apt,
  installedBytes,
  locate,
  packageNames,
  type PackageFile,
  updateIndex,
  versionsOf,
} from "./apt.ts";
import type { Architecture } from "./architecture.ts";
import { kernelsDirectory, sha256, withLock } from "./cache.ts";
import { collectCommands } from "./commands.ts";
import { compilerOf } from "./compiler.ts";
import { download, downloadsDirectory } from "./download.ts";
import { withElfFile } from "./elf-file.ts";
import { BadInput, isNoSpace, KernelNotPrepared, NoSpace, UnknownRelease } from "./errors.ts";
import { makeGenerated } from "./generated.ts";
import { nearNames } from "./near-names.ts";
import { headersPath, prepareTree, readConfig, removeTree, unpackPackage, unpackSource } from "./prepare.ts";
import type { WorkOptions } from "./progress.ts";
import { run, runScript } from "./run.ts";
import { exactCompiler } from "./toolchain.ts";
import {
  checkRelease,
  type Compiler,
  type KernelRecord,
  type KernelTree,
  openKernel,
  schema,
  treeAt,
} from "./tree.ts";
import { unitsOf } from "./units.ts";
import { sourcePackage } from "./version.ts";
import { makeDirectory, writeWhole } from "./write-whole.ts";

export interface KernelRequest {
  /** What `uname -r` prints on it. */
  readonly release: string;
  /** Debian's name of the suite; default bookworm. */
  readonly suite?: string;
  /** Default amd64, or what the release's name says. */
  readonly architecture?: Architecture;
}

interface KernelPackages {
  /** What boots, and the shipped modules: one package, or since Linux 7 several. */
  readonly image: readonly PackageFile[];
  readonly debug: PackageFile;
  readonly headers: PackageFile;
  readonly source: PackageFile;
}

/** The source tree as prepared, and the objects of some builds. */
const sourceTreeBytes = 1.8e9;

/**
 * Fetches and prepares a kernel; returns at once when that has been done. An interrupted run keeps what it has
 * downloaded. Throws UnknownRelease, VersionNotCarried, DownloadFailed, NoSpace, CompilerMismatch, ToolMissing.
 */
export async function fetchKernel(request: KernelRequest, work: WorkOptions): Promise<KernelTree> {
  checkRelease(request.release);
  const ready = await openIfPrepared(request.release);
  if (ready !== undefined) return ready;
  const lock = join(kernelsDirectory(), `.${request.release}.lock`);
  return withLock(lock, work, async () => {
    const meanwhile = await openIfPrepared(request.release);
    return meanwhile ?? prepareKernel(request, work);
  });
}

async function openIfPrepared(release: string): Promise<KernelTree | undefined> {
  try {
    return await openKernel(release);
  } catch (error) {
    if (error instanceof KernelNotPrepared) return undefined;
    throw error;
  }
}

async function prepareKernel(request: KernelRequest, work: WorkOptions): Promise<KernelTree> {
  const { release } = request;
  const suite = request.suite ?? "bookworm";
  const architecture = request.architecture ?? (/-powerpc64le/.test(release) ? "ppc64el" : "amd64");
  const directory = join(kernelsDirectory(), `.${release}.partial`);
  await removeTree(directory);
  await makeDirectory(directory);
  try {
    // 1. Which packages, where, with which hashes.
    const apt = await updateIndex(suite, architecture, work);
    const packages = await findPackages(apt, release, work.signal);
    await checkSpace(apt, packages, directory, work.signal);
    // 2. The small headers first: they say which compiler is wanted, before the large ones come.
    const compiler = await fetchHeaders(packages.headers, directory, { release, suite, architecture }, work);
    // 3. The rest, and everything unpacked and prepared.
    const kernel = { release, architecture, compiler };
    await unpackAndPrepare(packages, directory, kernel, work);
    // 4. Made visible.
    const record = await describe(packages, directory, { ...kernel, suite }, work.signal);
    work.onProgress({ stage: "units", message: "reading what every unit is linked into" });
    await unitsOf(treeAt(directory, record), work);
    await writeWhole(join(directory, "kernel.json"), `${JSON.stringify(record, undefined, 2)}\n`);
    await run("sync", ["-f", directory], { signal: work.signal });
    await removeTree(join(kernelsDirectory(), release));
    await rename(directory, join(kernelsDirectory(), release));
    // 5. What is unpacked is not kept twice; a source package may be wanted again for its difference to another.
    for (const { file } of [packages.debug, ...packages.image, packages.headers]) {
      await rm(join(downloadsDirectory(), file), { force: true });
    }
    return await openKernel(release);
  } catch (error) {
    await removeTree(directory);
    if (isNoSpace(error)) throw new NoSpace(directory, { cause: error });
    throw error;
  }
}

async function findPackages(apt: Apt, release: string, signal: AbortSignal): Promise<KernelPackages> {
  // Images stay in the index longer than what is needed to patch them.
  const names = new Set(await packageNames(apt, "linux-image-", signal));
  const releases = Array.from(names, (name) => /^linux-image-(\d.*)-dbg$/.exec(name)?.[1] ?? "");
  // A signed image has the version of the source it was built from; kernels without signature are named so.
  const name = [`linux-image-${release}`, `linux-image-${release}-unsigned`].find((one) => names.has(one));
  if (name === undefined || !releases.includes(release)) {
    const found = name === undefined ? "not in" : "without debug package in";
    throw new UnknownRelease(release, apt.suite, found, nearNames(release, releases));
  }
  const version = (await versionsOf(apt, name, signal))[0] ?? "";
  const wanted = [
    { name: `linux-image-${release}-dbg`, version },
    { name: `linux-headers-${release}`, version },
    sourcePackage(version),
    ...(await imageNames(apt, name, release, signal)).map((one) => ({ name: one, version })),
  ];
  const [debug, headers, source, ...image] = await locate(apt, wanted, signal);
  return { image, debug: debug!, headers: headers!, source: source! };
}

/** The image's package; since Linux 7 that has dependencies only, and these are the packages with the files. */
async function imageNames(
  apt: Apt,
  name: string,
  release: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const carried = new Set(await packageNames(apt, "linux-binary-", signal));
  const binary = ["binary", "binary-unsigned"].map((part) => `linux-${part}-${release}`);
  const found = binary.find((one) => carried.has(one));
  return found === undefined ? [name] : [found, `linux-modules-${release}`, `linux-base-${release}`];
}

async function fetchHeaders(
  headers: PackageFile,
  directory: string,
  kernel: { readonly release: string; readonly suite: string; readonly architecture: Architecture },
  work: WorkOptions,
): Promise<Compiler> {
  const [path] = await download([headers], work);
  const unpacked = join(directory, "headers");
  await unpackPackage(path!, unpacked, [], work.signal);
  const config = await readConfig(headersPath(unpacked, kernel.release));
  return exactCompiler({ ...kernel, compiler: compilerOf(config, kernel.architecture) }, work);
}

/** The two cores: one unpacks the debug package, the other makes the source tree. A failure stops both. */
async function unpackAndPrepare(
  packages: KernelPackages,
  directory: string,
  kernel: { readonly release: string; readonly architecture: Architecture; readonly compiler: Compiler },
  work: WorkOptions,
): Promise<void> {
  const stop = new AbortController();
  const both: WorkOptions = { ...work, signal: AbortSignal.any([work.signal, stop.signal]) };
  const files = [packages.source, packages.debug, ...packages.image];
  const [source, debug, ...image] = await download(files, work);
  work.onProgress({ stage: "unpack", message: "source, image and debug packages" });
  const works = [
    makeSource(source!, directory, kernel, both),
    unpackBinaries(image, debug!, directory, kernel.release, both),
  ];
  await allOrNone(works, stop).catch((error: unknown) => {
    work.signal.throwIfAborted();
    throw error;
  });
}

async function makeSource(
  sourcePath: string,
  directory: string,
  kernel: { readonly release: string; readonly architecture: Architecture; readonly compiler: Compiler },
  work: WorkOptions,
): Promise<void> {
  const source = join(directory, "source");
  const unpacked = join(directory, "headers");
  await unpackSource(sourcePath, kernel, source, work.signal);
  await prepareTree(kernel, headersPath(unpacked, kernel.release), source, work);
  const generated = await collectCommands(kernel, source, join(directory, "commands.json"), work);
  await makeGenerated(kernel, source, generated, work.signal);
  await removeTree(unpacked);
}

async function unpackBinaries(
  imagePaths: readonly string[],
  debugPath: string,
  directory: string,
  release: string,
  work: WorkOptions,
): Promise<void> {
  // Newer suites keep modules under /usr/lib, and with them what boots; here it is lib and boot always.
  const image = join(directory, "image");
  const boot = `--transform=s,^\\./usr/lib/modules/${release}/vmlinuz$,./boot/vmlinuz-${release},`;
  const lib = "--transform=s,^\\./usr/lib/modules,./lib/modules,";
  await makeDirectory(join(image, "boot"));
  for (const path of imagePaths) {
    await unpackPackage(path, image, ["--exclude=./usr/share", boot, lib], work.signal);
  }
  await unpackModules(image, work.signal);
  const debugLib = "--transform=s,^\\./usr/lib/debug/\\(usr/\\)\\?,./,";
  const leftOut = ["--exclude=./usr/share", "--exclude=./usr/lib/debug/.build-id"];
  await unpackPackage(debugPath, join(directory, "debug"), [...leftOut, debugLib], work.signal);
  for (const path of [`debug/boot/vmlinux-${release}`, `image/lib/modules/${release}`]) {
    await stat(join(directory, path)).catch((error: unknown) => {
      throw new BadInput(`unpack kernel ${release}`, `no ${path}`, "it in the packages", { cause: error });
    });
  }
}

/** Modules as the kernel has them in memory: newer suites ship them compressed. */
async function unpackModules(directory: string, signal: AbortSignal): Promise<void> {
  await runScript(`find "$1" -name '*.ko.xz' -print0 | xargs -0r -n 64 xz -d --`, [directory], { signal });
}

async function describe(
  packages: KernelPackages,
  directory: string,
  kernel: Pick<KernelRecord, "release" | "architecture" | "compiler" | "suite">,
  signal: AbortSignal,
): Promise<KernelRecord> {
  const { image, debug, headers, source } = packages;
  const hashes = [...image, debug, headers, source].map((file) => file.sha256);
  const vmlinux = join(directory, "debug/boot", `vmlinux-${kernel.release}`);
  const buildId = withElfFile(vmlinux, "vmlinux", readBuildId);
  if (buildId === undefined) throw new BadInput("read vmlinux", "no build id", "a GNU build id note");
  const { stdout } = await run("du", ["-s", "-B1", directory], { signal });
  const record: KernelRecord = {
    schema,
    ...kernel,
    packageVersion: debug.version,
    buildId,
    treeId: sha256([schema, ...hashes].join("\n")),
    sizeBytes: Number(stdout.split("\t")[0]),
    preparedAt: new Date().toISOString(),
  };
  // The image may be named otherwise on an architecture not tried yet: better to say so now.
  await stat(treeAt(directory, record).image);
  return record;
}

/** Refuses early what could not end well: a distribution's full kernel takes 8 GB. */
async function checkSpace(
  apt: Apt,
  packages: KernelPackages,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const { image, debug, headers, source } = packages;
  let wantedBytes = sourceTreeBytes;
  for (const file of [...image, debug, headers]) wantedBytes += await installedBytes(apt, file, signal);
  for (const file of [...image, debug, headers, source]) wantedBytes += file.sizeBytes;
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < wantedBytes) throw new NoSpace(directory, { wantedBytes });
}
