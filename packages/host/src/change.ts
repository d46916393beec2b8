/** What the commands that change the kernel share: who may, when it may be, and how the end is told. */
import type { TransitionReport } from "@kgraft/contract";
import { type Context, printJson, printLines } from "./command.ts";
import { KernelRefusedError, NotFoundError, NotRootError, RefusedError } from "./errors.ts";
import { noteFixesInForce } from "./in-force.ts";
import { isRoot } from "./kernel-identity.ts";
import {
  checkSupport,
  type LivePatch,
  patchInTransition,
  patchName,
  readPatch,
  setEnabled,
} from "./livepatch.ts";
import { type System, SystemError } from "./system.ts";
import { defaultTimeoutMs, followTransition, transitionReport } from "./transition.ts";

/**
 * Begins a command that changes the kernel: from here on it is carried through, or stops where it can say how
 * things stand, even when interrupted or when nobody reads what it says.
 *
 * @throws NotRootError, NoLivePatchingError
 */
export function beginChange(system: System): void {
  if (!isRoot(system)) {
    throw new NotRootError(
      "cannot change live patches: this user is not root",
      "type the command after: sudo",
    );
  }
  checkSupport(system);
  system.catchInterrupts();
  system.ignoreClosedPipes();
}

/** The patch that was named. @throws NotFoundError */
export function findPatch(system: System, typed: string): LivePatch {
  const name = patchName(typed);
  const patch = readPatch(system, name);
  if (patch === null) {
    throw new NotFoundError(
      `cannot find live patch ${name}: none of that name is loaded`,
      "type: kgr patches",
    );
  }
  return patch;
}

/** The kernel moves one patch at a time; a transition may only be turned round by its own patch. @throws RefusedError */
export function checkNoOtherTransition(system: System, name: string): void {
  const current = patchInTransition(system);
  if (current !== null && current.name !== name) {
    throw new RefusedError(
      `cannot change ${name}: ${current.name} is ${current.state}`,
      "wait until it is done with: kgr wait",
    );
  }
}

/** Turns a patch on or off. @throws KernelRefusedError */
export function turn(system: System, name: string, enabled: boolean): void {
  try {
    setEnabled(system, name, enabled);
  } catch (cause) {
    if (cause instanceof SystemError) {
      const verb = enabled ? "enable" : "disable";
      throw new KernelRefusedError(
        `cannot ${verb} ${name}: the kernel answers ${cause.code}`,
        "see how it stands with: kgr -v status; kgr -v patches",
        { cause },
      );
    }
    throw cause;
  }
}

/** Follows the transition that a command began, by the options it was given. */
export async function follow({ system, invocation }: Context): Promise<number> {
  if (invocation.noWait) {
    return 0;
  }
  const waitedMs = await followTransition(system, {
    timeoutMs: invocation.timeoutMs ?? defaultTimeoutMs,
    progress: !invocation.json,
  });
  await noteFixesInForce(system);
  return waitedMs;
}

/** Tells how a change ended. */
export function conclude(
  { system, invocation }: Context,
  action: TransitionReport["action"],
  patch: string,
  waitedMs: number,
  text: string,
): number {
  const report = transitionReport(system, action, patch, waitedMs);
  if (invocation.json) {
    printJson(system, report);
  } else if (report.state === "ready") {
    printLines(system, [`${patch}: ${text}`]);
  } else {
    printLines(system, [`${patch}: in_progress, follow it with: kgr wait`]);
  }
  return 0;
}
