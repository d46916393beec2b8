import { beginChange, checkMayChange, conclude, concludeDryRun, follow } from "../change.ts";
import type { Command, Context } from "../command.ts";
import { findEarlier, type PassedOver } from "../earlier.ts";
import { KernelRefusedError, RefusedError } from "../errors.ts";
import { fileOf, readHistory } from "../history.ts";
import { kernelRelease } from "../kernel-identity.ts";
import { n, t } from "../language.ts";
import { type LivePatch, patchInTransition, readPatch, readPatches } from "../livepatch.ts";
import { checkLoadable, load, removeLoaded } from "../loading.ts";
import { commandToDowngrade, packageOf } from "../package.ts";
import { progressOn } from "../progress.ts";
import { installedPatches } from "../store.ts";
import type { System } from "../system.ts";
import { printable } from "../text.ts";

const installLimitMs = 600_000;

export const downgradeCommand: Command = {
  name: "downgrade",
  operand: null,
  options: ["yes", "timeout", "on-timeout", "dry-run"],
  brief: n`go back to the live patch before the one in force`,
  details: n`Where it came in a package, the package manager installs the version before\nit; otherwise the newest earlier one of the same name but for its number is\nloaded, of the files loaded since the start and of those installed. Shows what\nit would do and asks first; --yes or klp's -n goes ahead.`,
  async run(context: Context): Promise<number> {
    const { system } = context;
    checkMayChange(system);
    // 1. What is in force, and where it came from.
    const current = patchInForce(system);
    const path = fileOf(system, current.name);
    const installed = path === null ? null : await packageOf(system, path);
    // 2. By the package manager, or from the file before it.
    if (installed !== null) {
      const command = await commandToDowngrade(system, installed);
      if (command !== null) {
        return viaPackage(context, current, command);
      }
    }
    return viaFile(context, current);
  },
};

/** The newest live patch in force. @throws RefusedError */
function patchInForce(system: System): LivePatch {
  const order = readHistory(system).map(({ name }) => name);
  const active = readPatches(system)
    .filter(({ state }) => state === "active" || state === "applying")
    .toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    .at(-1);
  if (active === undefined) {
    throw new RefusedError(t`cannot downgrade: no live patch is in force`, t`type: kgr patches`);
  }
  const current = patchInTransition(system);
  if (current !== null) {
    throw new RefusedError(
      t`cannot downgrade: ${current.name} is ${current.state}`,
      t`wait until it is done with: kgr wait`,
    );
  }
  return active;
}

async function viaPackage(context: Context, current: LivePatch, command: readonly string[]): Promise<number> {
  const { system } = context;
  const shown = command.map((word) => (/^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word}'`)).join(" ");
  if (!confirmed(context, current, shown)) {
    return concludeDryRun(context, "downgrade", current.name, t`would be downgraded by: ${shown}`);
  }
  beginChange(system);
  const progress = progressOn(system, !context.invocation.json);
  const manager = command[0]?.split("/").at(-1);
  const result = await system.run(command, installLimitMs, {
    onWait: (_, elapsedMs) =>
      progress.busy(current.name, t`${manager} is at work`, { elapsedMs, where: null }),
  });
  progress.end();
  if (result.kind === "timeout" || result.status !== 0) {
    const said = printable(result.output.trim().split("\n").at(-1) ?? "");
    throw new KernelRefusedError(t`cannot downgrade ${current.name}: ${said}`, t`type: ${shown}`);
  }
  // The package's own scripts load what it brings; some leave that to the next boot.
  const waitedMs = await follow(context);
  const now = readPatch(system, current.name)?.state ?? "off";
  return conclude(
    context,
    "downgrade",
    current.name,
    waitedMs,
    now === "off" ? "downgraded" : t`its package is downgraded, but it stays ${now} until the next boot`,
  );
}

async function viaFile(context: Context, current: LivePatch): Promise<number> {
  const { system } = context;
  // 1. What it can give way to: an earlier one of its own line, whatever else was loaded before.
  const { patch: before, passedOver } = await findEarlier(system, current.name);
  if (before === null) {
    throw nothingEarlier(current.name, passedOver[0] ?? null);
  }
  const state = readPatch(system, before.name)?.state ?? "off";
  if (state !== "off") {
    throw new RefusedError(
      t`cannot downgrade ${current.name}: it is not cumulative, ${before.name} is ${state} beside it`,
      t`take it out of force with: kgr disable ${current.name}`,
    );
  }
  // 2. Whether that one may be loaded, before anything is changed for it.
  const loadable = await checkLoadable(context, before.path, { manifest: before.manifest, mayBeOff: true });
  if (!confirmed(context, current, `kgr load ${before.path}`)) {
    return concludeDryRun(context, "downgrade", current.name, t`would give way to ${before.path}`);
  }
  // 3. In its place. It may still be there as a module, replaced: the kernel does not enable that again.
  beginChange(system);
  if (readPatch(system, before.name) !== null) {
    await removeLoaded(context, before.name);
  }
  const { waitedMs, replaced } = await load(context, loadable);
  if (!replaced.includes(current.name)) {
    throw new KernelRefusedError(
      t`${before.name} is loaded, but does not replace ${current.name}: both are in force`,
      t`take the newer one out of force with: kgr disable ${current.name}`,
    );
  }
  await warnOfBoot(context, current.name);
  return conclude(context, "downgrade", before.name, waitedMs, t`ready, ${current.name} gave way`);
}

function nothingEarlier(current: string, passedOver: PassedOver | null): RefusedError {
  if (passedOver === null) {
    return new RefusedError(
      t`cannot downgrade ${current}: neither a package nor a file has an earlier version of it`,
      t`go back to the original functions with: kgr disable ${current}`,
    );
  }
  const { name, path } = passedOver;
  const why = {
    unrelated: () => t`${name}, loaded before it, is not an earlier version of it`,
    unknown: () => t`${name} has no manifest that says what it is`,
    "went-down": () => t`the machine went down with ${name}`,
  }[passedOver.why]();
  return new RefusedError(
    t`cannot downgrade ${current}: ${why}`,
    t`go back to the original functions with: kgr disable ${current}; or load the other all the same: kgr load ${path}`,
  );
}

/** What is installed comes back with the next boot, whatever was done now. */
async function warnOfBoot({ system, dialect }: Context, name: string): Promise<void> {
  const [newest] = await installedPatches(system, kernelRelease(system));
  if (newest?.name === name) {
    const text = t`${name} is still installed, and comes back with the next boot; end that with: kgr uninstall ${name}`;
    system.print("err", `${dialect.program}: ${text}\n`);
  }
}

/** Whether to go ahead; false for a dry run. @throws RefusedError where the answer is no, or nobody can be asked */
function confirmed({ system, invocation }: Context, current: LivePatch, shown: string): boolean {
  if (invocation.options.has("dry-run")) {
    return false;
  }
  if (invocation.options.has("yes")) {
    return true;
  }
  const answer = system.ask(t`${printable(shown)}\nDowngrade ${current.name} so? Type yes: `);
  if (answer?.trim() !== "yes") {
    const why = answer === null ? t`nobody to ask, this is no terminal` : t`the answer was not yes`;
    throw new RefusedError(
      t`did not downgrade ${current.name}: ${why}`,
      t`go ahead with: kgr downgrade --yes`,
    );
  }
  return true;
}
