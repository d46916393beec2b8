/**
 * The kernel's probes, /sys/kernel/debug/kprobes/list, and the tracing events that they belong to:
 *
 *     ffffffffc05f7039  k  lp_sleep_task+0x9  lp_sleep [OPTIMIZED]
 *     ffffffff8bff5980  k  cmdline_proc_show+0x0    [DISABLED][FTRACE]
 *
 * With indirect branch tracking a function begins with endbr64, and a probe that was asked for at its start is listed
 * behind that, at +0x4.
 */
import type { System } from "./system.ts";
import { readText } from "./text.ts";

const limitBytes = 64 << 20;

/** A probe that is armed. */
export interface Probe {
  /** `vmlinux` for the kernel itself. */
  readonly object: string;
  readonly name: string;
  /** Such as `kprobe event kprobes/mine at cmdline_proc_show+0x9`. */
  readonly user: string;
  /** At the function's entry, by ftrace. */
  readonly byFtrace: boolean;
}

/** All armed probes; null where they cannot be read. */
export function readProbes(system: System): readonly Probe[] | null {
  const list = readText(system, "/sys/kernel/debug/kprobes/list", limitBytes);
  const events = readText(system, "/sys/kernel/tracing/kprobe_events", limitBytes) ?? "";
  return list === null ? null : parseProbes(list, events);
}

/** Lines that are no probes are left out. */
export function parseProbes(list: string, events: string): readonly Probe[] {
  const eventLines = events.split("\n");
  return list.split("\n").flatMap((line) => {
    const [, kind, name, offset, module, flags] =
      /^[0-9a-f]+ {2}(\w) {2}([^+\s]+)\+(0x[0-9a-f]+) {2}(\w*) ?(.*)$/.exec(line) ?? [];
    if (name === undefined || flags?.includes("[DISABLED]") === true || flags?.includes("[GONE]") === true) {
      return [];
    }
    const byFtrace = flags?.includes("[FTRACE]") === true;
    const event =
      eventAt(eventLines, name, Number(offset)) ?? (byFtrace ? eventAt(eventLines, name, 0) : null);
    const what = `${kind === "r" ? "return probe" : "kprobe"}${event === null ? "" : ` event ${event}`}`;
    return [
      {
        object: module === "" || module === undefined ? "vmlinux" : module,
        name,
        user: `${what} at ${name}+${offset}`,
        byFtrace,
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
