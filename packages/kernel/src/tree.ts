/** A prepared kernel in the cache: what of it is where. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Architecture, architectures, crossPrefix } from "./architecture.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { kernelsDirectory } from "./cache.ts";
import { BadInput, BadRequest, KernelNotPrepared } from "./errors.ts";

/** Raised whenever preparing changes what a kernel's directory holds. */
export const schema = "kgraft-kernel/2";

export interface Compiler {
  /** What to run, such as `gcc-12`. */
  readonly command: string;
  /** What the kernel was compiled with, as its CONFIG_CC_VERSION_TEXT has it: first line of `--version`. */
  readonly version: string;
  /** Name under `toolchains` in the cache (toolchain.ts); absent where the machine's own compiler is used. */
  readonly toolchain?: string;
}

/** What `kernel.json` holds; everything else follows from where the file lies. */
export interface KernelRecord {
  readonly schema: typeof schema;
  readonly release: string;
  readonly packageVersion: string;
  readonly suite: string;
  readonly architecture: Architecture;
  readonly compiler: Compiler;
  /** GNU build id of vmlinux, in hex. */
  readonly buildId: string;
  /** Names the prepared tree: the packages' hashes and the way they were prepared. */
  readonly treeId: string;
  readonly sizeBytes: number;
  /** ISO 8601, UTC. */
  readonly preparedAt: string;
}

export interface KernelTree extends Omit<KernelRecord, "schema"> {
  readonly directory: string;
  /** Prepared source tree; read-only by convention. */
  readonly sourceDirectory: string;
  /** vmlinuz of the image package. */
  readonly image: string;
  /** vmlinux of the -dbg package: symbols, BTF, DWARF, .rela sections. */
  readonly vmlinux: string;
  /** `<root>/lib/modules/<release>` of the image package: the shipped .ko. */
  readonly modulesDirectory: string;
  /** The same of the -dbg package: .ko with DWARF. */
  readonly debugModulesDirectory: string;
  readonly moduleSymvers: string;
  readonly config: string;
}

export type KernelSummary = Pick<
  KernelRecord,
  "release" | "packageVersion" | "suite" | "architecture" | "compiler" | "sizeBytes" | "preparedAt"
>;

const releasePattern = /^[A-Za-z0-9][A-Za-z0-9.+~-]{0,63}$/;

/** Throws BadRequest for what cannot be the name of a kernel release. */
export function checkRelease(release: string): void {
  if (!releasePattern.test(release)) {
    throw new BadRequest("kernel release", release, "a name as `uname -r` prints it");
  }
}

/** Opens a prepared kernel. Throws KernelNotPrepared. */
export async function openKernel(release: string): Promise<KernelTree> {
  checkRelease(release);
  const directory = join(kernelsDirectory(), release);
  let text: string;
  try {
    text = await readFile(join(directory, "kernel.json"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new KernelNotPrepared(release);
    throw error;
  }
  const record = parseRecord(text, join(directory, "kernel.json"));
  // A tree of another version of kgraft is as good as none: it is prepared again.
  if (record.schema !== schema) throw new KernelNotPrepared(release);
  // So is one whose compiler is gone.
  const { toolchain } = record.compiler;
  if (toolchain !== undefined && !(await isThere(join(toolchainsDirectory(), toolchain)))) {
    throw new KernelNotPrepared(release, record.suite);
  }
  return treeAt(directory, record);
}

export function toolchainsDirectory(): string {
  return join(cacheDirectory(), "toolchains");
}

/** What to run for a compiler: its name on the PATH, or its place in the cache. */
export function compilerPath(compiler: Compiler): string {
  const { toolchain, command } = compiler;
  return toolchain === undefined ? command : join(toolchainsDirectory(), toolchain, "usr/bin", command);
}

export function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** All prepared kernels of the cache. */
export async function listKernels(): Promise<readonly KernelSummary[]> {
  const names = await readdir(kernelsDirectory()).catch((): string[] => []);
  const found: KernelSummary[] = [];
  for (const name of names.toSorted((a, b) => a.localeCompare(b))) {
    if (!releasePattern.test(name)) continue;
    const tree = await openKernel(name).catch(() => undefined);
    if (tree === undefined) continue;
    const { release, packageVersion, suite, architecture, compiler, sizeBytes, preparedAt } = tree;
    found.push({ release, packageVersion, suite, architecture, compiler, sizeBytes, preparedAt });
  }
  return found;
}

/** The paths of a kernel whose directory is `directory`. */
export function treeAt(directory: string, record: KernelRecord): KernelTree {
  const { schema: _schema, ...facts } = record;
  const { release } = record;
  const image = record.architecture === "amd64" ? "vmlinuz" : "vmlinux";
  return {
    ...facts,
    directory,
    sourceDirectory: join(directory, "source"),
    image: join(directory, "image/boot", `${image}-${release}`),
    vmlinux: join(directory, "debug/boot", `vmlinux-${release}`),
    modulesDirectory: join(directory, "image/lib/modules", release),
    debugModulesDirectory: join(directory, "debug/lib/modules", release),
    moduleSymvers: join(directory, "source/Module.symvers"),
    config: join(directory, "source/.config"),
  };
}

/** Arguments that every `make` in the prepared tree needs, `make M=DIR modules` included. */
export function makeArguments(
  tree: Pick<KernelRecord, "release" | "architecture" | "compiler">,
): readonly string[] {
  const { kbuild, triplet } = architectures[tree.architecture];
  const { toolchain } = tree.compiler;
  const tools =
    toolchain === undefined ? "" : join(toolchainsDirectory(), toolchain, "usr/bin", `${triplet}-`);
  const cross = tools || crossPrefix(tree.architecture);
  return [
    `ARCH=${kbuild}`,
    `KERNELRELEASE=${tree.release}`,
    `CC=${compilerPath(tree.compiler)}`,
    `HOSTCC=${cross === "" ? tree.compiler.command : "gcc"}`,
    ...(cross === "" ? [] : [`CROSS_COMPILE=${cross}`]),
  ];
}

function parseRecord(text: string, path: string): KernelRecord {
  try {
    return JSON.parse(text) as KernelRecord;
  } catch (error) {
    throw new BadInput(`read ${path}`, "no JSON", "a kernel record", { cause: error });
  }
}
