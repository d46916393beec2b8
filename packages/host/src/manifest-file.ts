/**
 * Manifests on the patched machine: the one beside a module that is to be loaded, and the record of it under
 * /run/kgr for as long as the module is loaded, so that `kgr patches -v` can tell what it repairs. /run is in
 * memory: the records go with the kernel that they describe.
 */
import type { Manifest } from "@kgraft/contract";
import { BadInputError, OtherKernelError } from "./errors.ts";
import { t } from "./language.ts";
import type { ModuleInfo } from "./module-file.ts";
import { type System, SystemError } from "./system.ts";
import { decodeUtf8, readText } from "./text.ts";

/** In memory, so that nothing outlives the kernel that it tells of. */
export const recordDirectory = "/run/kgr";
const limitBytes = 4 << 20;

/** The manifest beside a module; null where there is none. @throws BadInputError, SystemError */
export async function readManifestBeside(system: System, modulePath: string): Promise<Manifest | null> {
  return readManifest(system, modulePath.replace(/\.ko$/, ".json"));
}

/** The manifest in a file; null where there is no such file. @throws BadInputError, SystemError */
export async function readManifest(system: System, path: string): Promise<Manifest | null> {
  let bytes: Uint8Array;
  try {
    bytes = system.readBytes(path, limitBytes);
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOENT") {
      return null;
    }
    throw error;
  }
  return parseManifest(decodeUtf8(bytes), path);
}

/** The manifest of a loaded live patch; null where none was recorded, or what was is damaged. */
export async function readRecord(system: System, patch: string): Promise<Manifest | null> {
  try {
    return await parseRecord(system, patch);
  } catch (error) {
    if (error instanceof BadInputError) {
      return null; // written by hand or by a later kgr: what it repairs is not known
    }
    throw error;
  }
}

/** The manifest of a loaded live patch; null where none was recorded. @throws BadInputError where it is damaged */
export async function parseRecord(system: System, patch: string): Promise<Manifest | null> {
  const text = readText(system, recordPath(patch), limitBytes);
  return text === null ? null : parseManifest(text, recordPath(patch));
}

/** Keeps a manifest while its module is loaded. @throws SystemError */
export function writeRecord(system: System, manifest: Manifest): void {
  system.makeDirectory(recordDirectory);
  system.replaceFile(recordPath(manifest.name), `${JSON.stringify(manifest)}\n`);
}

/** Forgets it. @throws SystemError */
export function removeRecord(system: System, patch: string): void {
  if (system.exists(recordPath(patch))) {
    system.removeFile(recordPath(patch));
  }
}

function recordPath(patch: string): string {
  return `${recordDirectory}/${patch}.json`;
}

/** @throws BadInputError */
async function parseManifest(text: string, path: string): Promise<Manifest> {
  const hint = t`take the NAME.json that was made together with NAME.ko`;
  // Loaded only where a manifest is read: `kgr status` is not to pay for it.
  const { manifestSchema } = await import("@kgraft/contract");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadInputError(t`cannot read manifest ${path}: it is no JSON`, hint, { cause });
  }
  const result = manifestSchema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue?.path.join(".") || "document";
    throw new BadInputError(t`cannot read manifest ${path}: ${where}: ${issue?.message ?? "invalid"}`, hint);
  }
  return result.data;
}

/** What a module and its kernel are, to be compared with what the manifest says. */
export interface Found {
  readonly info: ModuleInfo;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** GNU build id of the running kernel; null where it does not tell. */
  readonly buildId: string | null;
}

/** Checks that a manifest belongs to this very module and this very kernel. @throws BadInputError, OtherKernelError */
export function checkManifest(manifest: Manifest, found: Found, path: string): void {
  checkBelongs(manifest, found, path);
  if (found.buildId !== null && found.buildId !== manifest.kernel.buildId) {
    throw new OtherKernelError(
      t`cannot load ${path}: the running kernel's build id is ${found.buildId}, wanted ${manifest.kernel.buildId}`,
      t`build it for the running kernel; this one is for package version ${manifest.kernel.packageVersion}`,
    );
  }
}

/** Checks that a manifest belongs to this very module. @throws BadInputError */
export function checkBelongs(manifest: Manifest, found: Omit<Found, "buildId">, path: string): void {
  const pairs: readonly (readonly [string, string | number, string | number])[] = [
    ["name", manifest.name, found.info.name],
    [t`kernel release`, manifest.kernel.release, found.info.release],
    ["size", manifest.module.sizeBytes, found.sizeBytes],
    ["sha256", manifest.module.sha256, found.sha256],
  ];
  for (const [what, wanted, value] of pairs) {
    if (wanted !== value) {
      throw new BadInputError(
        t`cannot use ${path}: ${what} is ${value}, its manifest wants ${wanted}`,
        t`take the NAME.json that was made together with NAME.ko`,
      );
    }
  }
}
