import type { BootReport } from "@kgraft/contract";
import { type HeldPatch, planBoot } from "../boot-plan.ts";
import { beginChange, checkMayInstall } from "../change.ts";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { BadInputError, InterruptedError, PolicyError, UsageError } from "../errors.ts";
import { confirmGuard, disarmGuard, insertionTime, readGuard, settleGuard } from "../guard.ts";
import { kernelRelease } from "../kernel-identity.ts";
import { n, t } from "../language.ts";
import { patchInTransition, readPatch } from "../livepatch.ts";
import { checkLoadable, load } from "../loading.ts";
import { type System, SystemError } from "../system.ts";

export const bootCommand: Command = {
  name: "boot",
  operand: null,
  options: ["early", "confirm", "shutdown", "timeout", "on-timeout", "dry-run"],
  brief: n`load the installed live patch, as systemd and the initramfs do`,
  details: n`Does nothing where the kernel command line says kgr=off, the policy says\nLIVEPATCH_KERNEL=never, no patch is installed for the running kernel, or it is\nin force already. Refuses a patch with which the machine has gone down before.\n--early, in the initramfs: only a patch with which it has stayed up before.\n--confirm waits until the machine has stayed up long enough. --shutdown notes\nthat it goes down in order.`,
  async run(context: Context): Promise<number> {
    const { options } = context.invocation;
    const stages = (["early", "confirm", "shutdown"] as const).filter((stage) => options.has(stage));
    if (stages.length > 1) {
      throw new UsageError(
        t`cannot run boot: found --${stages[0]} and --${stages[1]}, wanted one of them`,
        t`type: kgr boot --help`,
      );
    }
    if (stages[0] === "confirm") {
      return confirm(context);
    }
    return stages[0] === "shutdown" ? shutDown(context) : boot(context, stages[0] === "early");
  },
};

async function boot(context: Context, early: boolean): Promise<number> {
  const { system, policy, dialect, invocation } = context;
  const dryRun = invocation.options.has("dry-run");
  beginChange(system);
  // 1. What the boot before this one has left. Where that cannot be written, it is still read.
  if (!dryRun) {
    await unlessUnwritable(settleGuard(system));
  }
  // 2. Whether there is something to do.
  const plan = await planBoot(system, policy);
  if (plan.kind === "off" || plan.kind === "never") {
    return tell(context, plan.kind, null, idleText(plan.kind, system));
  }
  const held = plan.kind === "none" ? [] : plan.held;
  const refusals: readonly (PolicyError | BadInputError)[] = [
    ...held.map(heldError),
    ...plan.damaged.map(damagedError),
  ];
  if (plan.kind !== "load") {
    const [refusal] = refusals;
    if (refusal !== undefined) throw refusal;
    return tell(context, "none", null, idleText("none", system));
  }
  const { name, path } = plan.patch;
  if (["active", "applying"].includes(readPatch(system, name)?.state ?? "")) {
    return tell(context, "in-force", name, t`${name}: in force already`);
  }
  if (early && !plan.good) {
    return tell(context, "left", name, t`${name}: not known to be good yet, left to the running system`);
  }
  system.print("err", refusals.map(({ message }) => `${dialect.program}: ${message}\n`).join(""));
  // 3. Into force, with the crash guard armed.
  const loadable = await checkLoadable(context, path, { manifest: plan.patch.manifest });
  if (dryRun) {
    return tell(context, "loaded", name, t`${name}: would be loaded`);
  }
  const { waitedMs } = await load(context, loadable, "boot");
  return tell(context, "loaded", name, t`${name}: ready after ${(waitedMs / 1000).toFixed(1)} s`);
}

/** Why the crash guard keeps a patch from being loaded, and what lifts that. */
function heldError({ patch: { name, path }, wentDown }: HeldPatch): PolicyError {
  return new PolicyError(
    t`did not load ${name}: the machine went down during or soon after its insertion of ${insertionTime(wentDown)}`,
    t`load it by hand with: kgr load ${path}; or install a newer one; see kgr(1), BOOT`,
  );
}

/** What a power cut leaves of a file that nobody has written through. */
function damagedError(name: string): BadInputError {
  return new BadInputError(t`did not load ${name}: its files are damaged`, t`install its package again`);
}

function idleText(kind: "off" | "never" | "none", system: System): string {
  switch (kind) {
    case "off":
      return t`nothing is loaded: kgr=off stands on the kernel command line`;
    case "never":
      return t`nothing is loaded: LIVEPATCH_KERNEL=never stands in /etc/kgr/kgr.conf`;
    case "none":
      return t`no live patch is installed for ${kernelRelease(system)}`;
  }
}

const pollMs = 1000;

/** Waits until the machine has stayed up long enough after each insertion; at once where there was none. */
async function confirm(context: Context): Promise<number> {
  const { system, policy, invocation } = context;
  beginChange(system);
  if (invocation.options.has("dry-run")) {
    const name = readGuard(system).armed?.name ?? null;
    const seconds = policy.crashGuardMs / 1000;
    return name === null
      ? tell(context, "none", null, t`no insertion to confirm`)
      : tell(context, "confirmed", name, t`${name}: would count as good after ${seconds} s`);
  }
  let confirmed: string | null = null;
  for (let { armed } = readGuard(system); armed !== null; armed = readGuard(system).armed) {
    await stayUp(system, policy.crashGuardMs);
    const now = readGuard(system).armed;
    if (now?.sha256 === armed.sha256 && now.atMs === armed.atMs && patchInTransition(system) === null) {
      await confirmGuard(system, armed);
      confirmed = armed.name;
    }
  }
  const text = confirmed === null ? t`no insertion to confirm` : t`${confirmed}: counts as good`;
  return tell(context, confirmed === null ? "none" : "confirmed", confirmed, text);
}

/** Waits for the end of the transition, then that long. @throws InterruptedError */
async function stayUp(system: System, durationMs: number): Promise<void> {
  let sinceMs = system.nowMs();
  while (system.nowMs() - sinceMs < durationMs) {
    await system.sleep(Math.min(pollMs, durationMs));
    if (system.interrupted()) {
      throw new InterruptedError(
        t`cannot go on waiting: interrupted; the crash guard stays armed`,
        t`type again: kgr boot --confirm`,
      );
    }
    sinceMs = patchInTransition(system) === null ? sinceMs : system.nowMs();
  }
}

async function shutDown(context: Context): Promise<number> {
  const { system, invocation } = context;
  checkMayInstall(system);
  const { armed } = readGuard(system);
  if (armed !== null && !invocation.options.has("dry-run")) {
    await disarmGuard(system);
  }
  const text = armed === null ? t`no insertion to confirm` : t`${armed.name}: the machine goes down in order`;
  return tell(context, armed === null ? "none" : "shut-down", armed?.name ?? null, text);
}

function tell(
  { system, invocation }: Context,
  outcome: BootReport["outcome"],
  patch: string | null,
  text: string,
): number {
  if (invocation.json) {
    const dryRun = invocation.options.has("dry-run") ? ({ dryRun: true } as const) : {};
    printJson(system, { outcome, patch, ...dryRun } satisfies BootReport);
  } else {
    printLines(system, [text]);
  }
  return 0;
}

async function unlessUnwritable(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
  }
}
