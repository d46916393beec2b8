/**
 * The crash guard: a live patch during whose insertion, or soon after it, the machine went down is not loaded again
 * by itself. docs/adr/0012 says how it came to be so.
 *
 * Before a module is inserted, `inserting.json` is made durable: which patch, in which boot of the machine. It goes
 * when the machine has stayed up for a while after the transition, or when it is shut down in order. So where it
 * is found in another boot, the machine went down in between: power, panic or reset. That patch is then entered in
 * `guard.json`, and a patch is known by the SHA-256 of its module: another build of it is another patch.
 *
 * The same file names the patches that have been good: the initramfs loads only those.
 */
import { jsonBytes, makeDirectoryDurably, removeDurably, replaceDurably } from "./durable.ts";
import { type System, SystemError } from "./system.ts";
import { readText } from "./text.ts";

const folderAbove = "/var/lib";
const folder = `${folderAbove}/kgr`;
const markerFile = `${folder}/inserting.json`;
const recordFile = `${folder}/guard.json`;
const longest = 20;

/** One insertion of a live patch. */
export interface Insertion {
  readonly name: string;
  /** Of the module's file. */
  readonly sha256: string;
  /** The kernel's id of the boot in which it was inserted. */
  readonly bootId: string;
  /** Milliseconds since 1970, by the machine's clock. */
  readonly atMs: number;
}

/** What is known of insertions. */
export interface Guard {
  /** In this boot, and the machine has not stayed up long enough since. */
  readonly armed: Insertion | null;
  /** After which the machine went down, the latest last. */
  readonly wentDown: readonly Insertion[];
  /** After which it stayed up, the latest last. */
  readonly good: readonly Insertion[];
}

/** What was noted; what cannot be read was not. A damaged file costs the machine one more crash at most. */
export function readGuard(system: System): Guard {
  const marker = parse(readText(system, markerFile));
  const record = parse(readText(system, recordFile));
  const found = isInsertion(marker) ? marker : null;
  const stale = found !== null && found.bootId !== bootId(system);
  return {
    armed: stale ? null : found,
    wentDown: [...listIn(record, "wentDown"), ...(stale ? [found] : [])],
    good: listIn(record, "good"),
  };
}

/** The insertion of that patch after which the machine went down; null for none. */
export function findWentDown({ wentDown }: Guard, sha256: string): Insertion | null {
  return wentDown.findLast((insertion) => insertion.sha256 === sha256) ?? null;
}

/** Whether the machine has stayed up after an insertion of that patch, and has never gone down since. */
export function isGood(guard: Guard, sha256: string): boolean {
  return guard.good.some((insertion) => insertion.sha256 === sha256) && findWentDown(guard, sha256) === null;
}

/** When it was, in UTC to the second, as RFC 3339 writes it. */
export function insertionTime({ atMs }: Insertion): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Enters what another boot has left under insertion. @throws SystemError */
export async function settleGuard(system: System): Promise<void> {
  const guard = readGuard(system);
  if (system.exists(markerFile) && guard.armed === null) {
    await writeRecord(system, guard);
    await removeDurably(system, markerFile);
  }
}

/**
 * Notes that a patch is about to be inserted. On return that is on the disk.
 *
 * @param byHand someone asked for this very patch: what spoke against it is forgotten
 * @throws SystemError
 */
export async function armGuard(
  system: System,
  patch: { readonly name: string; readonly sha256: string },
  byHand: boolean,
): Promise<void> {
  if (!system.exists(folderAbove)) {
    return; // nothing outlives this boot
  }
  await makeDirectoryDurably(system, folder);
  await settleGuard(system);
  const insertion: Insertion = { ...patch, bootId: bootId(system), atMs: Math.round(system.epochMs()) };
  await replaceDurably(system, markerFile, jsonBytes(insertion));
  const guard = readGuard(system);
  if (byHand && findWentDown(guard, patch.sha256) !== null) {
    await writeRecord(system, { ...guard, wentDown: without(guard.wentDown, patch.sha256) });
  }
}

/** Nothing can be laid to the patch any more. @throws SystemError */
export async function disarmGuard(system: System): Promise<void> {
  await removeDurably(system, markerFile);
}

/** That patch is not in the kernel any more. Where nothing can be written, the next boot will hold it: it says so. */
export async function disarmGuardOf(system: System, name: string): Promise<void> {
  if (readGuard(system).armed?.name === name) {
    try {
      await disarmGuard(system);
    } catch (error) {
      if (!(error instanceof SystemError)) {
        throw error;
      }
    }
  }
}

/** The machine has stayed up: the patch counts as good. @throws SystemError */
export async function confirmGuard(system: System, insertion: Insertion): Promise<void> {
  // In this order: a power cut between the two must not speak against the patch.
  await disarmGuard(system);
  const guard = readGuard(system);
  await writeRecord(system, { ...guard, good: [...without(guard.good, insertion.sha256), insertion] });
}

async function writeRecord(system: System, { wentDown, good }: Guard): Promise<void> {
  const record = { wentDown: wentDown.slice(-longest), good: good.slice(-longest) };
  await replaceDurably(system, recordFile, jsonBytes(record));
}

function without(insertions: readonly Insertion[], sha256: string): readonly Insertion[] {
  return insertions.filter((insertion) => insertion.sha256 !== sha256);
}

/** The kernel's id of this boot. */
function bootId(system: System): string {
  return readText(system, "/proc/sys/kernel/random/boot_id")?.trim() ?? "";
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

function listIn(record: unknown, field: "wentDown" | "good"): readonly Insertion[] {
  const list: unknown = typeof record === "object" && record !== null ? Reflect.get(record, field) : null;
  return Array.isArray(list) ? list.filter(isInsertion) : [];
}

function isInsertion(value: unknown): value is Insertion {
  const texts = ["name", "sha256", "bootId"] as const;
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const atMs: unknown = Reflect.get(value, "atMs");
  const wanted = texts.every((field) => typeof Reflect.get(value, field) === "string");
  return wanted && typeof atMs === "number" && Math.abs(atMs) <= 8.64e15; // what a Date can hold
}
