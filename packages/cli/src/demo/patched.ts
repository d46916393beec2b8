/** The same machine, patched while it runs: what crashed the control must not harm it, and must leave no trace. */
import type { LivePatch } from "@kgraft/build";
import type { PatchesReport, TransitionReport } from "@kgraft/contract";
import type { KernelTree } from "@kgraft/kernel";
import { bootGuest, type Guest, type GuestJob } from "@kgraft/lab";
import type { Context } from "../context.ts";
import { DemoFailed } from "../errors.ts";
import { guestOptions } from "./control.ts";
import { checkFileSystem } from "./file-system.ts";
import { openSession, type Session } from "./guest-session.ts";
import type { PatchedReport } from "./report.ts";
import {
  enabledFunctions,
  knownFiles,
  longCalls,
  mountCommand,
  packDisk,
  reader,
  quietRounds,
  rounds,
  roundsUnderLoad,
  stopLoad,
  verifyKnownFiles,
  writeKnownFiles,
  writer,
} from "./scenario.ts";
import { followLoad, type TransitionCourse } from "./transition.ts";

export interface PatchedMachine {
  readonly kernel: KernelTree;
  readonly livePatch: LivePatch;
  /** Path of the kgr binary. */
  readonly kgr: string;
}

/** Told as it happens. */
export interface Witness {
  readonly redirected: (functions: readonly string[], course: TransitionCourse) => void;
  readonly survived: (load: PatchedReport["load"], filesVerified: number) => void;
  readonly reverted: (reverted: PatchedReport["reverted"]) => void;
}

/** @throws DemoFailed where the kernel, the data or the way back is not as it must be */
export async function runPatched(
  machine: PatchedMachine,
  context: Context,
  witness: Witness,
): Promise<{ readonly patched: PatchedReport; readonly transitionMs: number }> {
  const stage = context.board.stage("In the patched guest", { fleeting: true });
  const now = (message: string): void => stage.update({ message });
  try {
    now("booting");
    await using guest = await bootPatched(machine, context.signal);
    const session = openSession(guest);
    const { name } = machine.livePatch.manifest;
    // 1. A file system with known files, and a steady load on it.
    now("starting the load");
    await session.run(mountCommand);
    await session.run(writeKnownFiles);
    const load = startLoad(guest);
    // 2. The patch comes while the load runs.
    const course = await followLoad(session, `/root/${name}.ko`, stage);
    const redirected = await redirectedFunctions(session);
    checkRedirected(redirected, machine.livePatch);
    witness.redirected(redirected, course);
    // 3. What crashed the control: amid the load, and exactly as there.
    now("running the reproducer under load");
    await session.run(rounds(roundsUnderLoad));
    // 4. The data: the known files read back from the disk, and the disk itself.
    const loaded = await endLoad(session, load);
    now("running the reproducer on the quiet file system");
    await session.run(rounds(quietRounds));
    now("checking the data");
    const filesVerified = Number(await session.run(verifyKnownFiles));
    if (filesVerified !== knownFiles) {
      throw new DemoFailed(
        `the data is wrong: ${filesVerified} known files are right, wanted ${knownFiles}`,
        "this is a serious fault of the live patch",
      );
    }
    const fileSystem = await checkFileSystem(await session.run(packDisk), context.signal);
    witness.survived(loaded, filesVerified);
    // 5. The way back, and the end.
    now("taking the patch back");
    const reverted = await revert(session, name);
    witness.reverted(reverted);
    await guest.shutdown();
    const { tasksLeft, transitionMs } = course;
    const patched: PatchedReport = {
      survived: true,
      tasksLeft,
      redirected,
      load: loaded,
      filesVerified,
      fileSystem,
      reverted,
    };
    return { patched, transitionMs };
  } finally {
    stage.drop();
  }
}

function bootPatched({ kernel, livePatch, kgr }: PatchedMachine, signal: AbortSignal): Promise<Guest> {
  const { name } = livePatch.manifest;
  return bootGuest({
    ...guestOptions(kernel),
    files: [
      { path: "/usr/bin/kgr", source: kgr, mode: 0o755 },
      { path: `/root/${name}.ko`, source: livePatch.modulePath },
      { path: `/root/${name}.json`, source: livePatch.manifestPath },
    ],
    timeoutMs: 600_000,
    signal,
  });
}

interface Load {
  readonly writers: readonly GuestJob[];
  readonly readers: readonly GuestJob[];
  readonly others: readonly GuestJob[];
}

function startLoad(guest: Guest): Load {
  return {
    writers: [0, 1].map((index) => guest.start(writer(index))),
    readers: [0, 1].map(() => guest.start(reader)),
    others: [0, 1].map(() => guest.start(longCalls)),
  };
}

async function endLoad(session: Session, { writers, readers, others }: Load): Promise<PatchedReport["load"]> {
  await session.run(stopLoad);
  const total = async (jobs: readonly GuestJob[]): Promise<number> => {
    const results = await session.alive(Promise.all(jobs.map(({ result }) => result)));
    const failed = results.find(({ status }) => status !== 0);
    if (failed !== undefined) {
      throw new DemoFailed(
        `the load on the file system failed: exit status is ${failed.status}, wanted 0`,
        failed.stderr.trim() || "it read back something else than it wrote",
      );
    }
    return results.reduce((sum, { stdout }) => sum + Number(stdout), 0);
  };
  await total(others);
  return { writes: await total(writers), reads: await total(readers) };
}

/** Names of the functions that ftrace redirects now: `ext4_mb_init_group (1) R I  M ...` */
async function redirectedFunctions(session: Session): Promise<readonly string[]> {
  const text = await session.run(enabledFunctions);
  return [...text.matchAll(/^(\S+) \(\d+\)/gm)].map(([, name]) => name ?? "");
}

function checkRedirected(redirected: readonly string[], livePatch: LivePatch): void {
  const missing = livePatch.manifest.functions.filter(({ name }) => !redirected.includes(name));
  if (missing.length === 0) return;
  throw new DemoFailed(
    `the patch is not in force: ${missing.map(({ name }) => name).join(", ")} not redirected, wanted all of them`,
    "see the guest's enabled_functions",
  );
}

async function revert(session: Session, name: string): Promise<PatchedReport["reverted"]> {
  const disabled = JSON.parse(await session.run(`kgr --json disable ${name}`)) as TransitionReport;
  await session.run(`kgr unload ${name}`);
  const { patches } = JSON.parse(await session.run("kgr --json patches")) as PatchesReport;
  const redirected = await redirectedFunctions(session);
  if (patches.length > 0 || redirected.length > 0) {
    throw new DemoFailed(
      `the patch is not gone: ${patches.length} patches loaded, ${redirected.join(", ") || "nothing"} redirected, wanted none of both`,
      "see the guest's kgr patches and enabled_functions",
    );
  }
  return { revertMs: disabled.waitedMs, patchesLeft: patches.length, redirected };
}
