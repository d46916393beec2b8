/**
 * The live patches of the running kernel, as it shows them (Documentation/ABI/testing/sysfs-kernel-livepatch):
 *
 *     /sys/kernel/livepatch/PATCH/enabled, transition
 *     /sys/kernel/livepatch/PATCH/OBJECT/FUNCTION,SYMPOS/
 *
 * A patch appears there when its module is inserted and goes when it has been disabled or replaced and the
 * transition is over, since commit 958ef1e39d24 ("livepatch: Simplify API by removing registration step")
 * (in v5.1). Its module stays loaded until it is removed: /proc/modules shows it, with the taint flag K.
 *
 * Anything may vanish between two reads; what has vanished is left out. Where the kernel has kGraft instead, all
 * this is read from there (kgraft.ts).
 */
import { NoLivePatchingError, UsageError } from "./errors.ts";
import { forceKgraft, hasKgraft, type KgraftModule, kgraftInProgress, kgraftModules } from "./kgraft.ts";
import { t } from "./language.ts";
import type { System } from "./system.ts";
import { listNames, readText } from "./text.ts";

const directory = "/sys/kernel/livepatch";

/** One live patch. */
export interface LivePatch {
  readonly name: string;
  readonly state: "active" | "applying" | "reverting" | "off";
}

/** A function that a live patch replaces. */
export interface ReplacedFunction {
  readonly object: string;
  readonly name: string;
  readonly sympos: number;
}

/** All live patches, by name, with those that are only loaded and no longer in force. @throws NoLivePatchingError */
export function readPatches(system: System): readonly LivePatch[] {
  checkSupport(system);
  if (hasKgraft(system)) {
    return kgraftPatches(system).toSorted(byName);
  }
  const present = listNames(system, directory)
    .map((name) => readPatch(system, name))
    .filter((patch) => patch !== null);
  const names = new Set(present.map((patch) => patch.name));
  const off = loadedModules(system)
    .filter((name) => !names.has(name))
    .map((name): LivePatch => ({ name, state: "off" }));
  return [...present, ...off].toSorted(byName);
}

function byName(a: LivePatch, b: LivePatch): number {
  return a.name < b.name ? -1 : 1;
}

function kgraftPatches(system: System): readonly LivePatch[] {
  const inProgress = kgraftInProgress(system);
  return kgraftModules(system).map(({ name, inForce }: KgraftModule, at) => {
    return { name, state: at === 0 && inProgress ? "applying" : inForce ? "active" : "off" };
  });
}

/** One live patch; null where the kernel has none of that name, loaded or not. */
export function readPatch(system: System, name: string): LivePatch | null {
  if (hasKgraft(system)) {
    return kgraftPatches(system).find((patch) => patch.name === name) ?? null;
  }
  const enabled = readText(system, `${directory}/${name}/enabled`)?.trim();
  const inTransition = readText(system, `${directory}/${name}/transition`)?.trim();
  if (enabled === "1") {
    return { name, state: inTransition === "1" ? "applying" : "active" };
  }
  if (enabled === "0" && inTransition === "1") {
    return { name, state: "reverting" };
  }
  return enabled === "0" || loadedModules(system).includes(name) ? { name, state: "off" } : null;
}

/** The live patch in transition; null when there is none. @throws NoLivePatchingError */
export function patchInTransition(system: System): LivePatch | null {
  checkSupport(system);
  if (hasKgraft(system)) {
    const unnamed: LivePatch = { name: "kgraft", state: "applying" };
    return kgraftInProgress(system) ? (kgraftPatches(system)[0] ?? unnamed) : null;
  }
  for (const name of listNames(system, directory)) {
    if (readText(system, `${directory}/${name}/transition`)?.trim() === "1") {
      const patch = readPatch(system, name);
      if (patch?.state === "applying" || patch?.state === "reverting") {
        return patch;
      }
    }
  }
  return null;
}

/** What a live patch replaces, by object and name. */
export function readFunctions(system: System, patch: string): readonly ReplacedFunction[] {
  return listNames(system, `${directory}/${patch}`).flatMap((object) =>
    listNames(system, `${directory}/${patch}/${object}`).flatMap((entry) => {
      const [, name, sympos] = /^(.+),(\d{1,9})$/.exec(entry) ?? [];
      return name === undefined ? [] : [{ object, name, sympos: Number(sympos) }];
    }),
  );
}

/** How a live patch stands to one object that it replaces functions of. */
export interface ObjectState {
  /** Whether the object is in the kernel at all; `vmlinux` always is. */
  readonly loaded: boolean;
  /** Null in kernels that do not tell, before commit bb26cfd9e77e ("livepatch: add sysfs entry "patched" for each klp_object") (in v6.1). */
  readonly patched: boolean | null;
}

export function objectState(system: System, patch: string, object: string): ObjectState {
  const patched = readText(system, `${directory}/${patch}/${object}/patched`)?.trim() ?? null;
  return {
    loaded: object === "vmlinux" || system.exists(`/sys/module/${object}`),
    patched: patched === null ? null : patched === "1",
  };
}

/** Turns a live patch on or off; the kernel begins the transition at once. @throws SystemError */
export function setEnabled(system: System, patch: string, enabled: boolean): void {
  system.writeFile(`${directory}/${patch}/enabled`, enabled ? "1" : "0");
}

/** Takes all tasks for moved; the transition then ends by itself. @throws SystemError */
export function forceTransition(system: System, patch: string): void {
  if (hasKgraft(system)) {
    forceKgraft(system);
  } else {
    system.writeFile(`${directory}/${patch}/force`, "1");
  }
}

/** @throws NoLivePatchingError where the kernel has none. */
export function checkSupport(system: System): void {
  if (!system.exists(directory) && !hasKgraft(system)) {
    throw new NoLivePatchingError(
      t`cannot read ${directory}: the running kernel has no live patching`,
      t`use a kernel with CONFIG_LIVEPATCH=y, and see that /sys is mounted`,
    );
  }
}

/** A live patch's name as the kernel has it, from what was typed. @throws UsageError where it can be none. */
export function patchName(typed: string): string {
  const name = typed.replaceAll("-", "_");
  if (!/^[A-Za-z0-9_]{1,55}$/.test(name)) {
    const wanted = t`wanted letters, digits and _, at most 55`;
    const file = /([A-Za-z0-9_-]+)\.ko$/.exec(typed)?.[1]?.replaceAll("-", "_");
    throw new UsageError(
      t`cannot use name ${JSON.stringify(typed)}: ${wanted}`,
      file === undefined ? t`type: kgr patches` : t`type the name alone: ${file}`,
    );
  }
  return name;
}

/** Loaded modules that are live patches: taint flag K in the last field of their line. */
function loadedModules(system: System): readonly string[] {
  const lines = readText(system, "/proc/modules", 4 << 20)?.split("\n") ?? [];
  return lines.flatMap((line) => {
    const [, name] = /^(\w+) .* \([A-Z+-]*K[A-Z+-]*\)$/.exec(line) ?? [];
    return name === undefined ? [] : [name];
  });
}
