/**
 * Who else hooks a function that a patch replaces.
 *
 * The kernel lets one user only change where a function leads to (FTRACE_OPS_FL_IPMODIFY), commit f8b8be8a310a
 * ("ftrace, kprobes: Support IPMODIFY flag to find IP modify conflict") (in v3.19); live patches share it among
 * themselves. ftrace's records show such a function with an I.
 *
 * A kprobe elsewhere in the function falls silent, because the function's code is no longer run. One at its entry
 * that goes by ftrace goes on to work, and is no conflict.
 */
import { readFtraceRecords } from "./ftrace.ts";
import { type Probe, readProbes } from "./kprobes.ts";
import { readFunctions, readPatches } from "./livepatch.ts";
import type { System } from "./system.ts";

/** A function of the kernel, or of a module. */
export interface HookedFunction {
  /** `vmlinux` for the kernel itself. */
  readonly object: string;
  readonly name: string;
}

/** Another user of a function that is to be replaced. */
export interface Hook extends HookedFunction {
  /** `redirects`: the kernel will refuse the patch; `probes`: the probe will fall silent. */
  readonly kind: "redirects" | "probes";
  /** Such as `kprobe event kprobes/mine at cmdline_proc_show+0x9`. */
  readonly user: string;
}

/** All other users of these functions that do not get along with a live patch. */
export function findHooks(system: System, functions: readonly HookedFunction[]): readonly Hook[] {
  const wanted = new Set(functions.map(keyOf));
  const probes = readProbes(system) ?? [];
  const silenced = probes.flatMap(({ object, name, user, byFtrace }) =>
    byFtrace ? [] : [{ object, name, user, kind: "probes" as const }],
  );
  return [...readRedirections(system, probes), ...silenced].filter((hook) => wanted.has(keyOf(hook)));
}

function keyOf({ object, name }: HookedFunction): string {
  return `${object}:${name}`;
}

/** Functions that something other than a live patch redirects. */
function readRedirections(system: System, probes: readonly Probe[]): readonly Hook[] {
  const patched = new Set(readPatches(system).flatMap(({ name }) => readFunctions(system, name).map(keyOf)));
  return (readFtraceRecords(system) ?? [])
    .filter((record) => record.flags.includes("I") && !patched.has(keyOf(record)))
    .map((record) => {
      const { object, name, handler } = record;
      const probe = probes.find((candidate) => keyOf(candidate) === keyOf(record));
      return {
        object,
        name,
        kind: "redirects",
        user: probe?.user ?? `ftrace handler ${handler ?? "unknown"}`,
      };
    });
}
