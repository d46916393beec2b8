/** What the commands that change the kernel share: who may, when it may be, and how the end is told. */
import type { TransitionReport } from "@kgraft/contract";
import { type Context, printJson, printLines } from "./command.ts";
import { KernelRefusedError, NotFoundError, NotRootError, RefusedError } from "./errors.ts";
import { noteFixesInForce } from "./in-force.ts";
import { isRoot } from "./kernel-identity.ts";
import { hasKgraft } from "./kgraft.ts";
import { t } from "./language.ts";
import {
  checkSupport,
  type LivePatch,
  patchInTransition,
  patchName,
  readPatch,
  readPatches,
  setEnabled,
} from "./livepatch.ts";
import { nearest } from "./nearest.ts";
import { progressOn } from "./progress.ts";
import { type System, SystemError } from "./system.ts";
import { type FollowOptions, followTransition, transitionReport } from "./transition.ts";

/**
 * Begins a command that changes the kernel: from here on it is carried through, or stops where it can say how
 * things stand, even when interrupted or when nobody reads what it says.
 *
 * @throws NotRootError, NoLivePatchingError
 */
export function beginChange(system: System): void {
  checkMayChange(system);
  system.catchInterrupts();
  system.ignoreClosedPipes();
}

/** @throws NotRootError, NoLivePatchingError */
export function checkMayChange(system: System): void {
  checkMayInstall(system);
  checkSupport(system);
}

/** @throws NotRootError */
export function checkMayInstall(system: System): void {
  if (!isRoot(system)) {
    throw new NotRootError(
      t`cannot change live patches: this user is not root`,
      t`type the command after: sudo`,
    );
  }
}

/** The patch that was named. @throws NotFoundError, RefusedError */
export function findPatch(system: System, typed: string): LivePatch {
  const name = patchName(typed);
  if (hasKgraft(system)) {
    throw new RefusedError(
      t`cannot change ${name}: this kernel has kGraft, whose patches only their packages change`,
      t`see them with: kgr -v patches; end a transition with: kgr poke`,
    );
  }
  const patch = readPatch(system, name);
  if (patch === null) {
    const names = readPatches(system).map((loaded) => loaded.name);
    const meant = nearest(name, names) ?? names.find((loaded) => name.length > 2 && loaded.includes(name));
    throw new NotFoundError(
      t`cannot find live patch ${name}: none of that name is loaded`,
      meant === undefined
        ? t`type: kgr patches`
        : t`type ${meant} in its place; or see what there is with: kgr patches`,
    );
  }
  return patch;
}

/** The kernel moves one patch at a time; a transition may only be turned round by its own patch. @throws RefusedError */
export function checkNoOtherTransition(system: System, name: string): void {
  const current = patchInTransition(system);
  if (current !== null && current.name !== name) {
    throw new RefusedError(
      t`cannot change ${name}: ${current.name} is ${current.state}`,
      t`wait until it is done with: kgr wait`,
    );
  }
}

const busyPauseMs = 250;

/** Turns a patch on or off; while the kernel is busy, tries again, with a bound. @throws KernelRefusedError */
export async function turn(
  { system, policy, invocation }: Context,
  name: string,
  enabled: boolean,
): Promise<void> {
  const startMs = system.nowMs();
  const progress = progressOn(system, !invocation.json);
  for (;;) {
    // The kernel answers when the transition has begun, which takes long where all processors are busy.
    progress.busy(name, t`the kernel begins a transition`, null);
    try {
      setEnabled(system, name, enabled);
      progress.end();
      return;
    } catch (cause) {
      progress.end();
      if (!(cause instanceof SystemError)) {
        throw cause;
      }
      const busy = cause.code === "EBUSY" && system.nowMs() - startMs < policy.busyTimeoutMs;
      if (!busy || system.interrupted()) {
        const verb = enabled ? "enable" : "disable";
        throw new KernelRefusedError(
          t`cannot ${verb} ${name}: the kernel answers ${cause.code}`,
          t`see how it stands with: kgr -v status; kgr -v patches`,
          { cause },
        );
      }
    }
    await system.sleep(busyPauseMs);
  }
}

/** Follows the transition that a command began, by the options it was given and the policy. */
export async function follow(context: Context): Promise<number> {
  const { system, invocation, policy } = context;
  if (invocation.noWait) {
    return 0;
  }
  const timeoutMs = invocation.timeoutMs ?? policy.transitionTimeoutMs;
  const waitedMs = await followTransition(system, followOptions(context, timeoutMs));
  await noteFixesInForce(system);
  return waitedMs;
}

/** How a transition is followed, by the options of the command and the policy. */
export function followOptions({ invocation, policy }: Context, timeoutMs: number): FollowOptions {
  const asked = invocation.options.get("on-timeout");
  return {
    timeoutMs,
    onTimeout: asked === "report" || asked === "wait" || asked === "reverse" ? asked : policy.onTimeout,
    nudge: policy.nudge,
    progress: !invocation.json,
  };
}

/** Tells what a change would do, with `--dry-run`. */
export function concludeDryRun(
  { system, invocation }: Context,
  action: TransitionReport["action"],
  patch: string | null,
  text: string,
): number {
  if (invocation.json) {
    printJson(system, {
      ...transitionReport(system, action, patch, 0),
      dryRun: true,
    } satisfies TransitionReport);
  } else {
    printLines(system, [patch === null ? text : `${patch}: ${text}`]);
  }
  return 0;
}

/** Tells how a change ended. */
export function conclude(
  { system, invocation }: Context,
  action: TransitionReport["action"],
  patch: string | null,
  waitedMs: number,
  text: string,
): number {
  const report = transitionReport(system, action, patch, waitedMs);
  if (invocation.json) {
    printJson(system, report);
  } else if (report.state === "ready") {
    printLines(system, [patch === null ? text : `${patch}: ${text}`]);
  } else {
    printLines(system, [t`${patch}: in_progress, follow it with: kgr wait`]);
  }
  return 0;
}
