/**
 * Who else hooks a function that a patch replaces.
 *
 * The kernel lets one user only change where a function leads to (FTRACE_OPS_FL_IPMODIFY), commit f8b8be8a310a
 * ("ftrace, kprobes: Support IPMODIFY flag to find IP modify conflict") (in v3.19); live patches share it among
 * themselves. /sys/kernel/tracing/enabled_functions shows such a function with an I, and who:
 *
 *     cmdline_proc_show (1) R I  tramp: 0xffffffffc0416000 (kprobe_ftrace_handler+0x0/0x1b0) ->kprobe_ftrace_handler...
 *
 * A kprobe elsewhere in the function falls silent, because the function's code is no longer run. One at its entry
 * that goes by ftrace goes on to work, and is no conflict. /sys/kernel/debug/kprobes/list:
 *
 *     ffffffffc05f7039  k  lp_sleep_task+0x9  lp_sleep [OPTIMIZED]
 *     ffffffff8bff5980  k  cmdline_proc_show+0x0    [DISABLED][FTRACE]
 */
import { readFunctions, readPatches } from "./livepatch.ts";
import type { System } from "./system.ts";
import { readText } from "./text.ts";

const tracing = "/sys/kernel/tracing";
const limitBytes = 64 << 20;

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
  const probes = readProbes(system);
  return [...readRedirections(system, probes), ...probes.filter((probe) => !probe.byFtrace)]
    .filter((hook) => wanted.has(keyOf(hook)))
    .map(({ object, name, kind, user }) => ({ object, name, kind, user }));
}

function keyOf({ object, name }: HookedFunction): string {
  return `${object}:${name}`;
}

interface Probe extends Hook {
  readonly byFtrace: boolean;
}

function readProbes(system: System): readonly Probe[] {
  const lines = readText(system, "/sys/kernel/debug/kprobes/list", limitBytes)?.split("\n") ?? [];
  const events = readText(system, `${tracing}/kprobe_events`, limitBytes)?.split("\n") ?? [];
  return lines.flatMap((line) => {
    const [, kind, name, offset, module, flags] =
      /^[0-9a-f]+ {2}(\w) {2}([^+\s]+)\+(0x[0-9a-f]+) {2}(\w*) ?(.*)$/.exec(line) ?? [];
    if (name === undefined || flags?.includes("[DISABLED]") === true || flags?.includes("[GONE]") === true) {
      return [];
    }
    const event = eventAt(events, name, Number(offset));
    const what = `${kind === "r" ? "return probe" : "kprobe"}${event === null ? "" : ` event ${event}`}`;
    return [
      {
        kind: "probes" as const,
        object: module === "" || module === undefined ? "vmlinux" : module,
        name,
        user: `${what} at ${name}+${offset}`,
        byFtrace: flags?.includes("[FTRACE]") === true,
      },
    ];
  });
}

/** Name of the tracing event that a probe belongs to: `p:kprobes/mine lp_sleep:lp_sleep_task+9`. */
function eventAt(events: readonly string[], name: string, offset: number): string | null {
  for (const line of events) {
    const [, event, symbol, at] = /^[pr]\d*:(\S+) (?:\w+:)?([^+\s]+)(?:\+(\w+))?/.exec(line) ?? [];
    if (symbol === name && Number(at ?? 0) === offset) {
      return event ?? null;
    }
  }
  return null;
}

/** Functions that something other than a live patch redirects. */
function readRedirections(system: System, probes: readonly Hook[]): readonly Hook[] {
  const patched = new Set(readPatches(system).flatMap(({ name }) => readFunctions(system, name).map(keyOf)));
  const lines = readText(system, `${tracing}/enabled_functions`, limitBytes)?.split("\n") ?? [];
  return lines.flatMap((line) => {
    const [, name, module, flags, rest] =
      /^(\S+)(?: \[(\w+)\])? \(\d+\)((?: [A-Z ])*)\s*(.*)$/.exec(line) ?? [];
    const hooked = { object: module ?? "vmlinux", name: name ?? "" };
    if (flags?.includes("I") !== true || patched.has(keyOf(hooked))) {
      return [];
    }
    const probe = probes.find((candidate) => keyOf(candidate) === keyOf(hooked));
    const handler = /->([^\s+]+)/.exec(rest ?? "")?.[1] ?? "unknown";
    return [{ ...hooked, kind: "redirects" as const, user: probe?.user ?? `ftrace handler ${handler}` }];
  });
}
