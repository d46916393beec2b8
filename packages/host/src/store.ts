/**
 * The live patches that are installed: what `kgr boot` puts into force. Packages lay them into the folder of the
 * kernel that they are for, and so does `kgr install`:
 *
 *     /usr/lib/modules/RELEASE/updates/kgraft/NAME.ko
 *     /usr/lib/modules/RELEASE/updates/kgraft/NAME.json    its manifest
 *
 * A live patch is installed when both are there and belong together: the manifest names the SHA-256 of the module.
 * Patches are cumulative, so only the newest counts, and one name is newer than another as versions of packages are
 * (`kgraft_10` than `kgraft_9`).
 *
 * One name holds two files, and no file system renames two at once. So while another module of the same name is
 * installed, its manifest lies beside the old one as `NAME.next.json`; the rename of the module alone decides which
 * of the two manifests is the right one.
 */
import type { Manifest } from "@kgraft/contract";
import { flushNames, forget, jsonBytes, makeDirectoryDurably, removeDurably } from "./durable.ts";
import { BadInputError, NotFoundError } from "./errors.ts";
import { kernelRelease } from "./kernel-identity.ts";
import { t } from "./language.ts";
import { checkBelongs, readManifest } from "./manifest-file.ts";
import { readModuleInfo } from "./module-file.ts";
import { sha256OfFile } from "./programs.ts";
import { type System, SystemError } from "./system.ts";
import { listNames } from "./text.ts";
import { compareVersions } from "./version.ts";

/** An installed live patch. */
export interface InstalledPatch {
  readonly name: string;
  /** Path of the module. */
  readonly path: string;
  readonly manifest: Manifest;
}

const moduleLimitBytes = 64 << 20;

/** Where the live patches of a kernel release are installed. */
export function storeFolder(release: string): string {
  return `/usr/lib/modules/${release}/updates/kgraft`;
}

/** The installed live patch that counts, the newest; null for none. */
export async function installedPatch(system: System, release: string): Promise<InstalledPatch | null> {
  return (await installedPatches(system, release))[0] ?? null;
}

/** All installed live patches of a kernel release, the newest first. What is incomplete is none. */
export async function installedPatches(system: System, release: string): Promise<readonly InstalledPatch[]> {
  return (await readStore(system, release)).patches;
}

/** What is installed for a kernel release. */
export interface StoreContent {
  /** The newest first. */
  readonly patches: readonly InstalledPatch[];
  /** Names of those whose two files are there and are not what they were: package managers may leave them so. */
  readonly damaged: readonly string[];
}

/** Reads what is installed for a kernel release. A power cut leaves empty files where nobody has flushed them. */
export async function readStore(system: System, release: string): Promise<StoreContent> {
  const folder = storeFolder(release);
  const patches: InstalledPatch[] = [];
  const damaged: string[] = [];
  for (const file of listNames(system, folder)) {
    const [, name] = /^([A-Za-z0-9_]{1,55})\.ko$/.exec(file) ?? [];
    if (name === undefined) {
      continue;
    }
    const path = `${folder}/${name}.ko`;
    const manifest = await manifestOf(system, folder, name);
    if (manifest === null ? system.exists(`${folder}/${name}.json`) : !hasSizeOf(system, path, manifest)) {
      damaged.push(name);
    } else if (manifest?.kernel.release === release) {
      patches.push({ name, path, manifest });
    }
  }
  return { patches: patches.toSorted((a, b) => compareNames(b.name, a.name)), damaged: damaged.toSorted() };
}

/** Whether the module is as long as its manifest says: what is loaded is hashed, the others need not be. */
function hasSizeOf(system: System, path: string, { module: { sizeBytes } }: Manifest): boolean {
  return sizeBytes > 0 && system.readBytesAt(path, sizeBytes - 1, 2).length === 1;
}

/** Below 0 where the first is older. An underscore parts numbers, as a dot does in a version. */
export function compareNames(a: string, b: string): number {
  const byVersion = compareVersions(a.replaceAll("_", "."), b.replaceAll("_", "."));
  return byVersion === 0 && a !== b ? (a < b ? -1 : 1) : byVersion;
}

/** The manifest that belongs to an installed module. The module is hashed only where two are there. */
async function manifestOf(system: System, folder: string, name: string): Promise<Manifest | null> {
  const [own, next] = [`${folder}/${name}.json`, `${folder}/${name}.next.json`];
  if (!system.exists(next)) {
    return readWhole(system, own, name);
  }
  const sha256 = await sha256OfFile(system, `${folder}/${name}.ko`);
  const manifests = [await readWhole(system, next, name), await readWhole(system, own, name)];
  return manifests.find((manifest) => manifest?.module.sha256 === sha256) ?? null;
}

async function readWhole(system: System, path: string, name: string): Promise<Manifest | null> {
  try {
    const manifest = await readManifest(system, path);
    return manifest?.name === name ? manifest : null;
  } catch (error) {
    if (error instanceof BadInputError || error instanceof SystemError) {
      return null; // damaged: it is not installed
    }
    throw error;
  }
}

/** A module file that may be installed. */
export interface Installable {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

/** Reads a module and its manifest, to be installed; changes nothing. @throws whatever speaks against it */
export async function checkInstallable(system: System, path: string): Promise<Installable> {
  // 1. The module, and the manifest that belongs to it.
  const bytes = readModule(system, "install", path);
  const info = readModuleInfo(bytes, path);
  const manifest = await readManifest(system, path.replace(/\.ko$/, ".json"));
  if (manifest === null) {
    throw new NotFoundError(
      t`cannot install ${path}: it has no manifest beside it`,
      t`take the NAME.json that was made together with NAME.ko`,
    );
  }
  const sha256 = await sha256OfFile(system, path);
  checkBelongs(manifest, { info, sizeBytes: bytes.length, sha256 }, path);
  // 2. The kernel that it is for.
  const modules = `/usr/lib/modules/${info.release}`;
  if (!system.exists(modules)) {
    throw new NotFoundError(
      t`cannot install ${path}: kernel ${info.release} is not installed, there is no ${modules}`,
      t`install that kernel first, or load the live patch with: kgr load ${path}`,
    );
  }
  return { manifest, bytes };
}

/** The module that a command was given. @throws NotFoundError with the file that may be meant; SystemError */
export function readModule(system: System, command: "load" | "install", path: string): Uint8Array {
  try {
    return system.readBytes(path, moduleLimitBytes);
  } catch (cause) {
    if (cause instanceof SystemError && cause.code === "ENOENT") {
      const folder = storeFolder(kernelRelease(system));
      const meant = [`${path}.ko`, `${folder}/${path}.ko`].find((file) => system.exists(file));
      throw new NotFoundError(
        t`cannot ${command} ${path}: there is no such file`,
        meant === undefined
          ? t`type the path of a .ko file; see those that are installed with: ls ${folder}`
          : t`type: kgr ${command} ${meant}`,
        { cause },
      );
    }
    throw cause;
  }
}

/** Installs a live patch; a power cut leaves what was installed before, or this. @returns path of the module */
export async function install(system: System, { manifest, bytes }: Installable): Promise<string> {
  const folder = storeFolder(manifest.kernel.release);
  const path = `${folder}/${manifest.name}.ko`;
  const [own, next] = [path.replace(/ko$/, "json"), path.replace(/ko$/, "next.json")];
  // 1. What an earlier installation that was cut off has left.
  await makeDirectoryDurably(system, folder.replace(/\/kgraft$/, ""));
  await makeDirectoryDurably(system, folder);
  await settle(system, folder, manifest.name);
  // 2. Both files, whole, where they do not count yet.
  try {
    system.writeThrough(`${path}.new`, bytes);
    system.writeThrough(`${own}.new`, jsonBytes(manifest));
    system.rename(`${own}.new`, system.exists(path) ? next : own);
    await flushNames(system, folder);
  } catch (error) {
    forget(system, `${path}.new`);
    forget(system, `${own}.new`);
    throw error;
  }
  // 3. From here on it is installed.
  system.rename(`${path}.new`, path);
  await flushNames(system, folder);
  await settle(system, folder, manifest.name);
  return path;
}

/** Makes the manifest that belongs to an installed module its only one. */
async function settle(system: System, folder: string, name: string): Promise<void> {
  const [own, next] = [`${folder}/${name}.json`, `${folder}/${name}.next.json`];
  if (!system.exists(next)) {
    return;
  }
  const right = system.exists(`${folder}/${name}.ko`) ? await manifestOf(system, folder, name) : null;
  const nextSha256 = (await readWhole(system, next, name))?.module.sha256;
  if (right !== null && right.module.sha256 === nextSha256) {
    system.rename(next, own);
  } else {
    system.removeFile(next);
  }
  await flushNames(system, folder);
}

/** Removes an installed live patch: the module first, so that what is left is none. */
export async function uninstall(system: System, { name, path }: InstalledPatch): Promise<void> {
  await removeDurably(system, path);
  for (const suffix of ["json", "next.json"]) {
    await removeDurably(system, path.replace(new RegExp(`${name}\\.ko$`), `${name}.${suffix}`));
  }
}
