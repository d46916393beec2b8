/**
 * Whether a live patch may be loaded, beyond being one for this kernel: what the policy says of its origin and of
 * the state of the kernel, and whether anyone else hooks the functions that it replaces. All reasons are collected.
 */
import type { Manifest } from "@kgraft/contract";
import { PolicyError, RefusedError } from "./errors.ts";
import { findHooks, type Hook } from "./hooks.ts";
import { n, t, translate } from "./language.ts";
import type { Policy } from "./policy.ts";
import type { System } from "./system.ts";
import { kernelTaints, moduleTaints } from "./taint.ts";

const seePolicy = n`ask who sets the policy in /etc/kgr/kgr.conf; what it says and means stands in kgr(1)`;

/** A module that is to be loaded. */
export interface Candidate {
  readonly name: string;
  readonly signed: boolean;
  readonly manifest: Manifest | null;
}

/** @returns what is allowed but worth a word. @throws PolicyError, RefusedError */
export function checkAdmission(system: System, policy: Policy, candidate: Candidate): readonly string[] {
  const { name, signed, manifest } = candidate;
  const against: string[] = [];
  const warnings: string[] = [];
  const judge = (rule: "allow" | "warn" | "refuse", reason: string): void => {
    if (rule !== "allow") {
      (rule === "refuse" ? against : warnings).push(reason);
    }
  };
  if (manifest === null) {
    judge(policy.unknownModule, t`it has no manifest beside it: nothing will tell what it repairs`);
  }
  if (!signed) {
    judge(policy.unsignedModule, t`it has no signature`);
  } else if (!checksSignatures(system)) {
    judge(policy.unsignedModule, t`the kernel does not check signatures`);
  }
  const taints = kernelTaints(system)
    .split("")
    .filter((letter) => policy.refusedTaints.includes(letter));
  if (taints.length > 0) {
    against.push(t`the kernel is tainted: ${taints.map(taintText).join(", ")}`);
  }
  const hooks = findHooks(system, manifest?.functions ?? []);
  for (const hook of hooks.filter(({ kind }) => kind === "probes")) {
    judge(policy.probedFunction, t`${hookText(hook)} would fall silent`);
  }
  if (against.length > 0) {
    throw new PolicyError(t`cannot load ${name}: ${against.join("; ")}`, translate(seePolicy));
  }
  const redirections = hooks.filter(({ kind }) => kind === "redirects");
  if (redirections.length > 0) {
    const reasons = redirections.map((hook) => t`${hookText(hook)} redirects it already`);
    throw new RefusedError(
      t`cannot load ${name}: ${reasons.join("; ")}`,
      t`end that other user first: see /sys/kernel/tracing/enabled_functions and kprobe_events`,
    );
  }
  return warnings;
}

/** Whether the kernel has not verified the signature of a loaded module although the policy wants that. */
export function isUnverified(system: System, policy: Policy, name: string): boolean {
  return policy.unsignedModule === "refuse" && moduleTaints(system, name).includes("E");
}

/** For a module that was taken out again because of {@link isUnverified}. */
export function unverifiedError(name: string): PolicyError {
  return new PolicyError(
    t`cannot keep ${name}: the kernel does not know the key of its signature; it was taken out again`,
    t`enrol the key with: mokutil --import; see kgr(1), SECURITY`,
  );
}

function checksSignatures(system: System): boolean {
  return system.exists("/sys/module/module/parameters/sig_enforce"); // CONFIG_MODULE_SIG
}

function hookText({ object, name, user }: Hook): string {
  return t`${object}:${name} has another user: ${user}`;
}

const taintMeanings: Readonly<Record<string, string>> = {
  B: n`a bad page was found`,
  D: n`it has died once (oops or BUG)`,
  L: n`a processor was stuck`,
  M: n`the processor reported an error`,
  O: n`a module from outside is loaded`,
  P: n`a proprietary module is loaded`,
  R: n`a module was removed by force`,
  W: n`it has warned`,
};

function taintText(letter: string): string {
  const meaning = taintMeanings[letter];
  return meaning === undefined ? letter : t`${letter}, ${translate(meaning)}`;
}
