/** From a module's file to a live patch in force, for the commands that load one. */
import type { Manifest } from "@kgraft/contract";
import { checkAdmission, isUnverified, unverifiedError } from "./admission.ts";
import { follow, followOptions, turn } from "./change.ts";
import type { Context } from "./command.ts";
import {
  AlreadyLoadedError,
  NotFoundError,
  OtherKernelError,
  RefusedError,
  ReversedError,
} from "./errors.ts";
import { noteLoaded } from "./history.ts";
import { kernelBuildId, kernelRelease } from "./kernel-identity.ts";
import { t } from "./language.ts";
import { patchInTransition, readPatch, readPatches } from "./livepatch.ts";
import { checkManifest, readManifestBeside, removeRecord, writeRecord } from "./manifest-file.ts";
import { isSigned, type ModuleInfo, readModuleInfo } from "./module-file.ts";
import { insertModule, isLoaded, removeModule } from "./modules.ts";
import { sha256OfFile } from "./programs.ts";
import { type System, SystemError } from "./system.ts";
import { followTransition } from "./transition.ts";

const moduleLimitBytes = 64 << 20;

/** A live patch that has passed all checks. */
export interface Loadable {
  readonly path: string;
  readonly name: string;
  readonly manifest: Manifest | null;
}

/** How loading ended. */
export interface LoadEnd {
  readonly waitedMs: number;
  /** The live patches that it replaced: off now, their modules still loaded. */
  readonly replaced: readonly string[];
}

/**
 * Checks a module's file, the kernel and the policy, and changes nothing. Says what is allowed but worth a word.
 *
 * @throws whatever speaks against loading it
 */
export async function checkLoadable({ system, policy, dialect }: Context, typed: string): Promise<Loadable> {
  // What begins with a dash would be an option to the programs that are run.
  const path = typed.replace(/^-/, "./-");
  // 1. The file: a live patch, for this kernel.
  const bytes = readModule(system, path);
  const info = readModuleInfo(bytes, path);
  checkRelease(system, info, path);
  // 2. The kernel: free to take it.
  checkFree(system, info.name);
  // 3. The manifest: this very file's.
  const manifest = await readOwnManifest(system, path, info, bytes.length);
  // 4. The policy, and other users of its functions.
  const candidate = { name: info.name, signed: isSigned(bytes), manifest };
  for (const warning of checkAdmission(system, policy, candidate)) {
    system.print("err", `${dialect.program}: ${info.name}: ${warning}\n`);
  }
  return { path, name: info.name, manifest };
}

/** Puts a checked live patch into force. What fails is taken back, or told with the next command to type. */
export async function load(context: Context, { path, name, manifest }: Loadable): Promise<LoadEnd> {
  const { system, policy } = context;
  const before = readPatches(system).flatMap((patch) => (patch.state === "active" ? [patch.name] : []));
  await insertRecorded(context, { path, name, manifest });
  noteLoaded(system, { name, path: system.realPath(path) });
  if (isUnverified(system, policy, name)) {
    await takeOut(context, name);
    throw unverifiedError(name);
  }
  try {
    const waitedMs = await follow(context);
    const replaced = before.filter((other) => readPatch(system, other)?.state === "off");
    return { waitedMs, replaced };
  } catch (error) {
    if (error instanceof ReversedError) {
      await removeLoaded(context, name);
    }
    throw error;
  }
}

function readModule(system: System, path: string): Uint8Array {
  try {
    return system.readBytes(path, moduleLimitBytes);
  } catch (cause) {
    if (cause instanceof SystemError && cause.code === "ENOENT") {
      throw new NotFoundError(t`cannot load ${path}: there is no such file`, t`type the path of a .ko file`, {
        cause,
      });
    }
    throw cause;
  }
}

function checkRelease(system: System, info: ModuleInfo, path: string): void {
  const release = kernelRelease(system);
  if (info.release !== release) {
    throw new OtherKernelError(
      t`cannot load ${path}: it is for kernel ${info.release}, ${release} is running`,
      t`build or install the live patch for ${release}`,
    );
  }
}

function checkFree(system: System, name: string): void {
  const patch = readPatch(system, name);
  if (patch !== null || isLoaded(system, name)) {
    throw new AlreadyLoadedError(
      t`cannot load ${name}: a module of that name is loaded, ${patch?.state ?? "no live patch"}`,
      t`see it with: kgr -v patches; take it out first with: kgr unload ${name}`,
    );
  }
  const current = patchInTransition(system);
  if (current !== null) {
    throw new RefusedError(
      t`cannot load ${name}: ${current.name} is ${current.state}`,
      t`wait until it is done with: kgr wait`,
    );
  }
}

async function readOwnManifest(
  system: System,
  path: string,
  info: ModuleInfo,
  sizeBytes: number,
): Promise<Manifest | null> {
  const manifest = await readManifestBeside(system, path);
  if (manifest !== null) {
    const found = {
      info,
      sizeBytes,
      sha256: await sha256OfFile(system, path),
      buildId: kernelBuildId(system),
    };
    checkManifest(manifest, found, path);
  }
  return manifest;
}

/** Records, then loads; a record of what is not loaded is taken back. */
async function insertRecorded(
  { system, policy }: Context,
  { path, name, manifest }: Loadable,
): Promise<void> {
  if (manifest !== null) {
    writeRecord(system, manifest);
  }
  try {
    await insertModule(system, path, policy.busyTimeoutMs);
  } catch (error) {
    if (!isLoaded(system, name)) {
      removeRecord(system, name);
    }
    throw error;
  }
}

/** Turns a patch that was just loaded back and removes it. */
async function takeOut(context: Context, name: string): Promise<void> {
  const { system, policy } = context;
  await turn(context, name, false);
  const options = followOptions(context, policy.transitionTimeoutMs);
  await followTransition(system, { ...options, onTimeout: "report" });
  await removeLoaded(context, name);
}

async function removeLoaded({ system, policy }: Context, name: string): Promise<void> {
  await removeModule(system, name, policy.busyTimeoutMs);
  removeRecord(system, name);
}
