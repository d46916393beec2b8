/** From a module's file to a live patch in force, for the commands that load one. */
import type { Manifest } from "@kgraft/contract";
import { checkAdmission, isUnverified, unverifiedError } from "./admission.ts";
import { follow, followOptions, turn } from "./change.ts";
import type { Context } from "./command.ts";
import {
  AlreadyLoadedError,
  MissingProgramError,
  OtherKernelError,
  RefusedError,
  ReversedError,
} from "./errors.ts";
import { armGuard, disarmGuardOf } from "./guard.ts";
import { noteLoaded } from "./history.ts";
import { kernelBuildId, kernelRelease } from "./kernel-identity.ts";
import { t } from "./language.ts";
import { whileLocked } from "./lock.ts";
import { patchInTransition, readPatch, readPatches } from "./livepatch.ts";
import { checkManifest, readManifestBeside, removeRecord, writeRecord } from "./manifest-file.ts";
import { isSigned, type ModuleInfo, readModuleInfo } from "./module-file.ts";
import { insertModule, isLoaded, removeModule } from "./modules.ts";
import { sha256OfFile } from "./programs.ts";
import { progressOn } from "./progress.ts";
import { readModule } from "./store.ts";
import { type System, SystemError } from "./system.ts";
import { followTransition } from "./transition.ts";

/** A live patch that has passed all checks. */
export interface Loadable {
  readonly path: string;
  readonly name: string;
  readonly manifest: Manifest | null;
  /** Of the module's file. */
  readonly sha256: string;
}

/** Who asked for a patch: someone, or the boot of the machine. */
export type AskedBy = "hand" | "boot";

/** What is known beforehand of a file that is to be loaded. */
export interface Foreknown {
  /** Its manifest, where that is not the one beside it. */
  readonly manifest?: Manifest;
  /** A module of its name that is out of force may be in the kernel: it will be removed first. */
  readonly mayBeOff?: boolean;
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
export async function checkLoadable(
  { system, policy, dialect }: Context,
  typed: string,
  { manifest: known, mayBeOff = false }: Foreknown = {},
): Promise<Loadable> {
  // What begins with a dash would be an option to the programs that are run.
  const path = typed.replace(/^-/, "./-");
  // 1. The file: a live patch, for this kernel.
  const bytes = readModule(system, "load", path);
  const info = readModuleInfo(bytes, path);
  checkRelease(system, info, path);
  // 2. The kernel: free to take it.
  checkFree(system, info.name, mayBeOff);
  // 3. The manifest: this very file's.
  const manifest = known ?? (await readManifestBeside(system, path));
  const sha256 = await sha256OfFile(system, path);
  if (manifest !== null) {
    checkManifest(manifest, { info, sizeBytes: bytes.length, sha256, buildId: kernelBuildId(system) }, path);
  }
  // 4. The policy, and other users of its functions.
  const candidate = { name: info.name, signed: isSigned(bytes), manifest };
  for (const warning of checkAdmission(system, policy, candidate)) {
    system.print("err", `${dialect.program}: ${info.name}: ${warning}\n`);
  }
  return { path, name: info.name, manifest, sha256 };
}

/** Puts a checked live patch into force. What fails is taken back, or told with the next command to type. */
export async function load(
  context: Context,
  { path, name, manifest, sha256 }: Loadable,
  askedBy: AskedBy = "hand",
): Promise<LoadEnd> {
  const { system, policy } = context;
  const before = await whileLocked(context, async () => {
    checkFree(system, name); // once more: another kgr may have been there first
    const active = readPatches(system).flatMap((patch) => (patch.state === "active" ? [patch.name] : []));
    await arm(context, { name, sha256 }, askedBy);
    await insertRecorded(context, { path, name, manifest });
    noteLoaded(system, { name, path: system.realPath(path) });
    return active;
  });
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

function checkRelease(system: System, info: ModuleInfo, path: string): void {
  const release = kernelRelease(system);
  if (info.release !== release) {
    throw new OtherKernelError(
      t`cannot load ${path}: it is for kernel ${info.release}, ${release} is running`,
      t`build or install the live patch for ${release}`,
    );
  }
}

function checkFree(system: System, name: string, mayBeOff = false): void {
  const patch = readPatch(system, name);
  const isOff = patch?.state === "off" && mayBeOff;
  if (!isOff && (patch !== null || isLoaded(system, name))) {
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

/**
 * Arms the crash guard. Where that cannot be, someone who asks by hand is told and goes on; the boot does not, for
 * nobody would be there to end a loop of crashes.
 */
async function arm(
  { system, policy, dialect }: Context,
  patch: { readonly name: string; readonly sha256: string },
  askedBy: AskedBy,
): Promise<void> {
  try {
    await armGuard(system, patch, askedBy === "hand");
  } catch (cause) {
    if (!(cause instanceof SystemError || cause instanceof MissingProgramError)) {
      throw cause;
    }
    const message = t`the crash guard cannot be armed: ${cause.message}`;
    if (askedBy === "boot" && policy.livepatchKernel !== "always") {
      throw new RefusedError(
        t`cannot load ${patch.name}: ${message}`,
        t`see whether /var/lib can be written to; or load it by hand with: kgr load`,
        { cause },
      );
    }
    system.print("err", `${dialect.program}: ${patch.name}: ${message}\n`);
  }
}

/** Records, then loads; a record of what is not loaded is taken back. */
async function insertRecorded(
  { system, policy, invocation }: Context,
  { path, name, manifest }: Omit<Loadable, "sha256">,
): Promise<void> {
  if (manifest === null) {
    removeRecord(system, name); // of a kgr that was killed
  } else {
    writeRecord(system, manifest);
  }
  try {
    const progress = progressOn(system, !invocation.json);
    await insertModule(system, { path, name }, policy.busyTimeoutMs, progress);
  } catch (error) {
    if (!isLoaded(system, name)) {
      removeRecord(system, name);
      await disarmGuardOf(system, name);
    }
    throw error;
  }
}

/** Turns a patch that was just loaded back and removes it. */
async function takeOut(context: Context, name: string): Promise<void> {
  const { system, policy } = context;
  await whileLocked(context, () => turn(context, name, false));
  const options = followOptions(context, policy.transitionTimeoutMs);
  await followTransition(system, { ...options, onTimeout: "report" });
  await removeLoaded(context, name);
}

/** Removes a module that is off, unless another kgr has done so, and forgets what was noted of it. */
export async function removeLoaded(context: Context, name: string): Promise<void> {
  const { system, policy, invocation } = context;
  await whileLocked(context, async () => {
    if (isLoaded(system, name)) {
      await removeModule(system, name, policy.busyTimeoutMs, progressOn(system, !invocation.json));
    }
    forgetManifest(context, name);
    await disarmGuardOf(system, name);
  });
}

/** A manifest that stays behind harms nothing: the next load of that name replaces it. */
function forgetManifest({ system, dialect }: Context, name: string): void {
  try {
    removeRecord(system, name);
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
    system.print("err", `${dialect.program}: ${name}: ${error.message}\n`);
  }
}
