/**
 * Debian's package index in a root of our own: apt-get does what it is best at, fetching the index and checking
 * its signature, while nothing of the machine's own apt is touched. What it answers is where a package is, how
 * large, and its SHA-256; fetching that is download.ts.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Architecture } from "./architecture.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { withLock } from "./cache.ts";
import { CommandFailed, IndexFailed, NoSpace, VersionNotCarried } from "./errors.ts";
import type { WorkOptions } from "./progress.ts";
import { run } from "./run.ts";
import { findMirrors, keyring, sourcesList } from "./sources.ts";
import { makeDirectory, writeWhole } from "./write-whole.ts";

export interface Apt {
  readonly suite: string;
  readonly architecture: Architecture;
  /** Options that make apt-get and apt-cache work in the private root. */
  readonly options: readonly string[];
}

/** One package file as the signed index describes it. */
export interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly address: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Fetches the index of a suite afresh. Throws IndexFailed, MirrorUnknown. */
export async function updateIndex(
  suite: string,
  architecture: Architecture,
  work: WorkOptions,
): Promise<Apt> {
  const list = sourcesList(suite, await findMirrors());
  const root = join(cacheDirectory(), "apt", `${suite}-${architecture}`);
  const apt: Apt = { suite, architecture, options: aptOptions(root, architecture) };
  if (!(await exists(keyring))) {
    throw new IndexFailed(suite, `${keyring} is missing, wanted the package debian-archive-keyring`);
  }
  await withLock(`${root}.lock`, work, async () => {
    for (const part of ["etc/apt/sources.list.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial"]) {
      await makeDirectory(join(root, part));
    }
    await makeDirectory(join(root, "var/cache/apt/archives/partial"));
    await writeWhole(join(root, "var/lib/dpkg/status"), "");
    await writeWhole(join(root, "etc/apt/sources.list"), list);
    work.onProgress({ stage: "index", message: `package index of ${suite}` });
    try {
      await run("apt-get", [...apt.options, "-qq", "--error-on=any", "update"], { signal: work.signal });
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      if (/No space left/.test(error.output)) throw new NoSpace(root, { cause: error });
      const line = error.output.split("\n").find((one) => /^[EW]:/.test(one));
      throw new IndexFailed(suite, line?.slice(3) ?? error.hint, { cause: error });
    }
  });
  return apt;
}

/** Versions of a package that the index carries, newest first; empty for an unknown package. */
export async function versionsOf(apt: Apt, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await run("apt-cache", [...apt.options, "madison", name], { signal });
  const versions = stdout.split("\n").map((line) => line.split("|")[1]?.trim() ?? "");
  return [...new Set(versions.filter((version) => version !== ""))];
}

/** Names of all packages that start so. */
export async function packageNames(
  apt: Apt,
  prefix: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { stdout } = await run("apt-cache", [...apt.options, "pkgnames", prefix], { signal });
  return stdout.split("\n").filter((name) => name !== "");
}

/** What a package takes when it is unpacked, as the index says. */
export async function installedBytes(apt: Apt, file: PackageFile, signal: AbortSignal): Promise<number> {
  const args = [...apt.options, "--no-all-versions", "show", `${file.name}=${file.version}`];
  const { stdout } = await run("apt-cache", args, { signal });
  return Number(/^Installed-Size: (\d+)$/m.exec(stdout)?.[1] ?? 0) * 1024;
}

/** Finds package files by exact name and version. Throws VersionNotCarried. */
export async function locate(
  apt: Apt,
  wanted: readonly { readonly name: string; readonly version: string }[],
  signal: AbortSignal,
): Promise<readonly PackageFile[]> {
  const args = wanted.map(({ name, version }) => `${name}=${version}`);
  let lines: readonly string[];
  try {
    const { stdout } = await run("apt-get", [...apt.options, "-qq", "download", "--print-uris", ...args], {
      signal,
    });
    lines = stdout.split("\n");
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    for (const { name, version } of wanted) {
      const carried = await versionsOf(apt, name, signal);
      if (!carried.includes(version)) throw new VersionNotCarried(name, version, carried);
    }
    throw error;
  }
  const files = lines.map(parseUri).filter((file) => file !== undefined);
  return wanted.map(({ name, version }) => {
    const file = files.find((one) => one.name === name && one.version === version);
    if (file === undefined) throw new VersionNotCarried(name, version, []);
    return file;
  });
}

/** A package and all it depends on, as apt would install it on an empty machine. Throws CommandFailed. */
export async function closureOf(
  apt: Apt,
  wanted: { readonly name: string; readonly version: string },
  signal: AbortSignal,
): Promise<readonly PackageFile[]> {
  const args = [
    "-qq",
    "-o",
    "Acquire::ForceHash=SHA256",
    "--no-install-recommends",
    "--print-uris",
    "install",
  ];
  const { stdout } = await run("apt-get", [...apt.options, ...args, `${wanted.name}=${wanted.version}`], {
    signal,
  });
  return stdout
    .split("\n")
    .map(parseUri)
    .filter((file) => file !== undefined);
}

/** One line of `apt-get --print-uris`: 'address' file size SHA256:hash. */
export function parseUri(line: string): PackageFile | undefined {
  const match = /^'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
  if (match === null) return undefined;
  const [, address, file, size, sha256] = match as unknown as [string, string, string, string, string];
  const [name, version] = file.split("_");
  if (name === undefined || version === undefined || !/^[A-Za-z0-9.+_~%-]+\.deb$/.test(file))
    return undefined;
  return { name, version: decodeURIComponent(version), file, address, sizeBytes: Number(size), sha256 };
}

function aptOptions(root: string, architecture: Architecture): readonly string[] {
  const settings = {
    Dir: root,
    "Dir::State::status": join(root, "var/lib/dpkg/status"),
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Sandbox::User": process.getuid?.() === 0 ? "root" : "",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "30",
  };
  return Object.entries(settings)
    .filter(([, value]) => value !== "")
    .flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
