/**
 * Which fixes are in force, and since when. A fix is in force when the transition of a live patch that brings it
 * has ended: before that some tasks still run the old functions. A cumulative patch brings the fixes of the one
 * before it again, so the time belongs to the fix and not to the patch: /run/kgr/in-force.json keeps it, from the
 * end of one change to the end of the next. No patch can have that name, a dash is none of its letters. Where
 * nobody waited for the end of a transition, the kernel's log tells when it was. Both count from the start of the
 * machine: early in boot its clock may still be wrong.
 */
import type { Manifest, ManifestFix } from "@kgraft/contract";
import { readPatches } from "./livepatch.ts";
import { readRecord, recordDirectory } from "./manifest-file.ts";
import { type System, SystemError } from "./system.ts";
import { readText } from "./text.ts";

const file = `${recordDirectory}/in-force.json`;
const limitBytes = 4 << 20;

/** One fix that is in force for every task. */
export interface FixInForce extends ManifestFix {
  readonly patch: string;
  /** Milliseconds since the machine was started; null where nothing tells. */
  readonly sinceMs: number | null;
}

/** The manifests of the live patches whose transition has ended, by name of the patch. */
export async function manifestsInForce(system: System): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = [];
  for (const { name, state } of readPatches(system)) {
    const manifest = state === "active" ? await readRecord(system, name) : null;
    if (manifest !== null) {
      manifests.push(manifest);
    }
  }
  return manifests;
}

/** What the manifests repair, each fix once, by its id. */
export function fixesInForce(system: System, manifests: readonly Manifest[]): readonly FixInForce[] {
  const noted = readNoted(system);
  const logged = new Map<string, number | null>();
  const fixes = new Map<string, FixInForce>();
  for (const { name: patch, fixes: ownFixes } of manifests) {
    for (const fix of ownFixes) {
      if (!noted.has(fix.id) && !logged.has(patch)) {
        logged.set(patch, loggedEndMs(system, patch));
      }
      const sinceMs = noted.get(fix.id) ?? logged.get(patch) ?? null;
      if (!fixes.has(fix.id)) {
        fixes.set(fix.id, { ...fix, patch, sinceMs });
      }
    }
  }
  return [...fixes.values()].toSorted((a, b) => compareIds(a.id, b.id));
}

/**
 * Notes since when each fix is in force: at the end of a change. A machine whose /run is full is patched all the
 * same; then the kernel's log is all that tells.
 */
export async function noteFixesInForce(system: System): Promise<void> {
  const nowMs = Math.floor(system.nowMs());
  const fixes = fixesInForce(system, await manifestsInForce(system));
  const times = Object.fromEntries(fixes.map(({ id, sinceMs }) => [id, sinceMs ?? nowMs]));
  try {
    system.makeDirectory(recordDirectory);
    system.replaceFile(file, `${JSON.stringify(times)}\n`);
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
  }
}

/** Times by id; what is no time is left out: anyone with root's rights may have written there. */
function readNoted(system: System): ReadonlyMap<string, number> {
  try {
    const times: unknown = JSON.parse(readText(system, file, limitBytes) ?? "{}");
    const entries = Object.entries(times ?? {}) as [string, unknown][];
    return new Map(entries.filter((entry): entry is [string, number] => isTime(system, entry[1])));
  } catch (error) {
    if (error instanceof SyntaxError) {
      return new Map();
    }
    throw error;
  }
}

function isTime(system: System, value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= system.nowMs();
}

/**
 * When the kernel said that the patch is in force: `5,1234,5140900,-;livepatch: 'NAME': patching complete`, the
 * third number in microseconds since the start (klp_complete_transition() in kernel/livepatch/transition.c).
 */
function loggedEndMs(system: System, patch: string): number | null {
  let messages: readonly string[];
  try {
    messages = system.kernelLog();
  } catch (error) {
    if (error instanceof SystemError) {
      return null; // only root may read it, mostly
    }
    throw error;
  }
  const end = messages.findLast((message) => message.includes(`livepatch: '${patch}': patching complete`));
  const [, microseconds] = /^\d+,\d+,(\d+),/.exec(end ?? "") ?? [];
  return microseconds === undefined ? null : Math.floor(Number(microseconds) / 1000);
}

/** CVE-2024-9999 before CVE-2024-10000. */
function compareIds(a: string, b: string): number {
  const [x, y] = [a, b].map((id) => id.replaceAll(/\d+/g, (digits) => digits.padStart(12, "0")));
  return x! < y! ? -1 : 1; // two ids, two texts
}

/** A moment in UTC to the second, as RFC 3339 writes it, from milliseconds since the machine was started. */
export function timestamp(system: System, sinceMs: number): string {
  return new Date(system.epochMs() - system.nowMs() + sinceMs).toISOString().replace(/\.\d+Z$/, "Z");
}
