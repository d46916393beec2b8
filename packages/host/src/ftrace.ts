/**
 * What ftrace says of the functions that someone hooks, /sys/kernel/tracing/enabled_functions (t_show() in
 * kernel/trace/ftrace.c):
 *
 *     cmdline_proc_show (1)   I  <TAB>tramp: 0xffffffffc045b000 (klp_ftrace_handler+0x0/0x110) ->klp_ftrace_handler+0x0/0x110
 *     lp_sleep_task [lp_sleep] (2) R I  <TAB>->arch_ftrace_ops_list_func+0x0/0x1d0
 *     <TAB>direct-->bpf_trampoline_6442536781_0+0x0/0x64
 *
 * In brackets the number of users. R: they get all registers, I: one of them changes where the function leads to, D:
 * one is called directly. A trampoline of its own has only a function with one user.
 */
import { type Address, parseAddress } from "./address.ts";
import type { System } from "./system.ts";
import { readText } from "./text.ts";

const file = "/sys/kernel/tracing/enabled_functions";
const limitBytes = 64 << 20;

/** One function that someone hooks. */
export interface FtraceRecord {
  /** `vmlinux` for the kernel itself. */
  readonly object: string;
  readonly name: string;
  readonly users: number;
  /** Letters, such as `RI`. */
  readonly flags: string;
  /** Where the function's entry calls; null where several users share one. */
  readonly trampoline: Address | null;
  /** What that calls, without offset: `klp_ftrace_handler`; null where nothing tells. */
  readonly handler: string | null;
  /** What is called directly, without offset; null for nothing. */
  readonly direct: string | null;
}

/** All records; null where they cannot be read. */
export function readFtraceRecords(system: System): readonly FtraceRecord[] | null {
  const text = readText(system, file, limitBytes);
  return text === null ? null : parseFtraceRecords(text);
}

/** Lines that are no records are left out. */
export function parseFtraceRecords(text: string): readonly FtraceRecord[] {
  const records: FtraceRecord[] = [];
  for (const line of text.split("\n")) {
    const record = parseLine(line);
    const last = records.at(-1);
    if (record !== null) {
      records.push(record);
    } else if (last !== undefined && line.startsWith("\t")) {
      records[records.length - 1] = { ...last, direct: directIn(line) ?? last.direct };
    }
  }
  return records;
}

function parseLine(line: string): FtraceRecord | null {
  const [, name, module, users, flags, rest] =
    /^(\S+)(?: \[(\w+)\])? \((\d{1,9})\)([A-Z ]*)\s*(.*)$/.exec(line) ?? [];
  if (name === undefined || users === undefined || flags === undefined || rest === undefined) {
    return null;
  }
  const trampoline = /tramp: 0x([0-9a-f]{1,16})\b/.exec(rest)?.[1];
  return {
    object: module ?? "vmlinux",
    name,
    users: Number(users),
    flags: flags.replaceAll(" ", ""),
    trampoline: trampoline === undefined ? null : parseAddress(trampoline),
    handler: /(?<!-)->([^\s+]+)/.exec(rest)?.[1] ?? null,
    direct: directIn(rest),
  };
}

function directIn(text: string): string | null {
  return /direct(?:\(jmp\))?-->([^\s+]+)/.exec(text)?.[1] ?? null;
}
