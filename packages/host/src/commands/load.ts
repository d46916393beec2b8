import type { Manifest } from "@kgraft/contract";
import { beginChange, conclude, follow } from "../change.ts";
import type { Command, Context } from "../command.ts";
import { AlreadyLoadedError, NotFoundError, OtherKernelError, RefusedError } from "../errors.ts";
import { kernelBuildId, kernelRelease } from "../kernel-identity.ts";
import { patchInTransition, readPatch } from "../livepatch.ts";
import { checkManifest, readManifestBeside, removeRecord, writeRecord } from "../manifest-file.ts";
import { type ModuleInfo, readModuleInfo } from "../module-file.ts";
import { insertModule, isLoaded } from "../modules.ts";
import { sha256OfFile } from "../programs.ts";
import { type System, SystemError } from "../system.ts";

const moduleLimitBytes = 64 << 20;

export const loadCommand: Command = {
  name: "load",
  operand: "FILE.ko",
  options: ["timeout", "no-wait"],
  brief: "put a live patch into force",
  details:
    "Checks that the module is a live patch for the running kernel and that the\nmanifest FILE.json beside it belongs to it, loads it, and waits for the\ntransition, 61 s unless told by --timeout.",
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    // What begins with a dash would be an option to the programs that are run.
    const path = invocation.operand.replace(/^-/, "./-");
    beginChange(system);
    // 1. The file: a live patch, for this kernel.
    const { info, sizeBytes } = readPatchFile(system, path);
    // 2. The kernel: free to take it.
    checkFree(system, info.name);
    // 3. The manifest: this very file's.
    const manifest = await readOwnManifest(system, path, info, sizeBytes);
    // 4. Record, then load; a record of what is not loaded is taken back.
    await insertRecorded(system, path, info.name, manifest);
    if (manifest === null) {
      system.print("err", `kgr: ${info.name} has no manifest beside it: nothing will tell what it repairs\n`);
    }
    // 5. The transition.
    const waitedMs = await follow(context);
    return conclude(context, "load", info.name, waitedMs, `ready after ${(waitedMs / 1000).toFixed(1)} s`);
  },
};

function readPatchFile(system: System, path: string): { info: ModuleInfo; sizeBytes: number } {
  const bytes = readModule(system, path);
  const info = readModuleInfo(bytes, path);
  const release = kernelRelease(system);
  if (info.release !== release) {
    throw new OtherKernelError(
      `cannot load ${path}: it is for kernel ${info.release}, ${release} is running`,
      `build or install the live patch for ${release}`,
    );
  }
  return { info, sizeBytes: bytes.length };
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

function readModule(system: System, path: string): Uint8Array {
  try {
    return system.readBytes(path, moduleLimitBytes);
  } catch (cause) {
    if (cause instanceof SystemError && cause.code === "ENOENT") {
      throw new NotFoundError(`cannot load ${path}: there is no such file`, "type the path of a .ko file", {
        cause,
      });
    }
    throw cause;
  }
}

function checkFree(system: System, name: string): void {
  const patch = readPatch(system, name);
  if (patch !== null || isLoaded(system, name)) {
    throw new AlreadyLoadedError(
      `cannot load ${name}: a module of that name is loaded, ${patch?.state ?? "no live patch"}`,
      `see it with: kgr -v patches; take it out first with: kgr unload ${name}`,
    );
  }
  const current = patchInTransition(system);
  if (current !== null) {
    throw new RefusedError(
      `cannot load ${name}: ${current.name} is ${current.state}`,
      "wait until it is done with: kgr wait",
    );
  }
}

async function insertRecorded(
  system: System,
  path: string,
  name: string,
  manifest: Manifest | null,
): Promise<void> {
  if (manifest !== null) {
    writeRecord(system, manifest);
  }
  try {
    await insertModule(system, path);
  } catch (error) {
    if (!isLoaded(system, name)) {
      removeRecord(system, name);
    }
    throw error;
  }
}
