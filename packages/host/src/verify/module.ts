/**
 * Whether a live patch is what its manifest says: the manifest is kgr's record under /run/kgr, the patch is what
 * sysfs shows of it, and the file it was loaded from, where it is still there, must be the one in the manifest and
 * the one in the kernel (by its notes, among them the build id).
 */
import type { Finding, Manifest, VerifiedPatch } from "@kgraft/contract";
import { BadInputError } from "../errors.ts";
import { fileOf } from "../history.ts";
import { kernelBuildId, kernelRelease } from "../kernel-identity.ts";
import { t } from "../language.ts";
import { type LivePatch, readFunctions } from "../livepatch.ts";
import { parseRecord } from "../manifest-file.ts";
import { isSigned, readNotes } from "../module-file.ts";
import type { Policy } from "../policy.ts";
import { sha256OfFile } from "../programs.ts";
import { type System, SystemError } from "../system.ts";
import { moduleTaints } from "../taint.ts";
import { wrong } from "./finding.ts";

const moduleLimitBytes = 64 << 20;

/** All of a {@link VerifiedPatch} but its functions. */
export type VerifiedModule = Pick<VerifiedPatch, "findings" | "signature" | "file">;

export async function verifyModule(
  system: System,
  policy: Policy,
  patch: LivePatch,
): Promise<VerifiedModule> {
  const { name } = patch;
  const findings: Finding[] = [...judgeState(patch)];
  // 1. Its manifest, against the kernel's own account.
  const manifest = await readManifest(system, name, findings);
  if (manifest !== null) {
    findings.push(...compareManifest(system, manifest, name));
  }
  // 2. Its file, against the manifest and the kernel's copy.
  const file = readFile(system, name);
  if (file !== null) {
    findings.push(...(await compareFile(system, file, manifest, name)));
  }
  // 3. Its signature.
  const signature = readSignature(system, file, name);
  if (signature !== "verified" && policy.unsignedModule === "refuse") {
    findings.push(wrong(t`the kernel has not verified its signature, and the policy wants that`));
  }
  if (signature === "verified" && file !== null && !isSigned(file.bytes)) {
    findings.push(wrong(t`the kernel has verified a signature, but ${file.path} has none`));
  }
  return { findings, signature, file: file?.path ?? null };
}

function judgeState({ state }: LivePatch): readonly Finding[] {
  switch (state) {
    case "applying":
      return [wrong(t`it is being applied: some tasks still run the original functions`)];
    case "reverting":
      return [wrong(t`it is being reverted: some tasks run the original functions again`)];
    case "active":
    case "off":
      return [];
  }
}

async function readManifest(system: System, name: string, findings: Finding[]): Promise<Manifest | null> {
  try {
    const manifest = await parseRecord(system, name);
    if (manifest === null) {
      findings.push(wrong(t`it has no manifest: nothing tells what it is for, or who loaded it`));
    }
    return manifest;
  } catch (error) {
    if (error instanceof BadInputError) {
      findings.push(wrong(error.message));
      return null;
    }
    throw error;
  }
}

function compareManifest(system: System, manifest: Manifest, name: string): readonly Finding[] {
  const buildId = kernelBuildId(system);
  const pairs: readonly (readonly [string, string, string])[] = [
    ["name", name, manifest.name],
    ["kernel release", kernelRelease(system), manifest.kernel.release],
    ["kernel build id", buildId ?? manifest.kernel.buildId, manifest.kernel.buildId],
    ["functions", functionsText(readFunctions(system, name)), functionsText(manifest.functions)],
  ];
  return pairs.flatMap(([what, found, wanted]) =>
    found === wanted ? [] : [wrong(t`${what}: found ${found}, its manifest wants ${wanted}`)],
  );
}

/** sysfs counts a name that is unique as its first. */
function functionsText(functions: readonly { object: string; name: string; sympos: number }[]): string {
  const texts = functions.map(({ object, name, sympos }) => `${object}:${name},${Math.max(sympos, 1)}`);
  return texts.toSorted().join(" ");
}

interface ModuleFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

function readFile(system: System, name: string): ModuleFile | null {
  const path = fileOf(system, name);
  try {
    return path === null ? null : { path, bytes: system.readBytes(path, moduleLimitBytes) };
  } catch (error) {
    if (error instanceof SystemError) {
      return null; // removed since: a package may be gone while its patch is in force
    }
    throw error;
  }
}

async function compareFile(
  system: System,
  { path, bytes }: ModuleFile,
  manifest: Manifest | null,
  name: string,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  if (manifest !== null && (await sha256OfFile(system, path)) !== manifest.module.sha256) {
    findings.push(wrong(t`${path} is not the file of its manifest: its SHA-256 is another`));
  }
  try {
    for (const [section, note] of readNotes(bytes, path)) {
      const loaded = readNote(system, name, section);
      if (loaded !== null && loaded.join() !== note.join()) {
        findings.push(wrong(t`${path} is not what is loaded: its ${section} is another`));
      }
    }
  } catch (error) {
    if (!(error instanceof BadInputError)) {
      throw error;
    }
    findings.push(wrong(error.message));
  }
  return findings;
}

function readNote(system: System, name: string, section: string): Uint8Array | null {
  try {
    return system.readBytes(`/sys/module/${name}/notes/${section}`, 65_536);
  } catch (error) {
    if (error instanceof SystemError) {
      return null;
    }
    throw error;
  }
}

/**
 * A kernel that checks signatures marks each module with E that has no valid one, commit 66cc69e34e86
 * ("Fix: module signature vs tracepoints: add new TAINT_UNSIGNED_MODULE") (in v3.15).
 */
function readSignature(system: System, file: ModuleFile | null, name: string): VerifiedPatch["signature"] {
  const checked = system.exists("/sys/module/module/parameters/sig_enforce");
  if (checked && !moduleTaints(system, name).includes("E")) {
    return "verified";
  }
  if (file === null) {
    return checked ? "unverified" : "unknown";
  }
  return isSigned(file.bytes) ? "unverified" : "none";
}
