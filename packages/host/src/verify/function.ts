/**
 * Whether a function is redirected, by three witnesses that do not know of each other: the bytes at its start in
 * memory, ftrace's record, and the livepatch core's own account in sysfs. A live patch redirects through
 * klp_ftrace_handler() (kernel/livepatch/patch.c), which ftrace calls by a trampoline made for it; where a function
 * has more users than one, all of them share ftrace_caller or ftrace_regs_caller.
 */
import type { Finding, VerifiedFunction } from "@kgraft/contract";
import { type Address, formatAddress } from "../address.ts";
import type { Architecture, FunctionEntry } from "../arch/architecture.ts";
import type { FtraceRecord } from "../ftrace.ts";
import { t } from "../language.ts";
import { objectState, type ReplacedFunction } from "../livepatch.ts";
import type { System } from "../system.ts";
import type { Evidence } from "./evidence.ts";
import { otherUsersOf } from "./other-users.ts";
import { describeAddress, keyOf } from "./symbols.ts";
import { hexOf } from "../text.ts";
import { resultOf, unknown, wrong } from "./finding.ts";

const klpHandler = "klp_ftrace_handler";
/** What functions with several users call, kernel/trace and arch/x86/kernel/ftrace_64.S. */
const sharedCallers = ["ftrace_caller", "ftrace_regs_caller"];

/** The symbols that {@link verifyFunction} needs beside the functions' own. */
export const ftraceSymbols: readonly { readonly object: string; readonly name: string }[] = sharedCallers.map(
  (name) => ({ object: "vmlinux", name }),
);

export function verifyFunction(
  system: System,
  evidence: Evidence,
  patch: string,
  replaced: ReplacedFunction,
): VerifiedFunction {
  const { object, name, sympos } = replaced;
  const state = objectState(system, patch, object);
  if (!state.loaded) {
    const none = { address: null, entry: null, calls: null, findings: [], otherUsers: [] };
    return { object, name, sympos, result: "proven", loaded: false, ...none };
  }
  // 1. The livepatch core's account.
  const findings: Finding[] = [];
  if (state.patched === false) {
    findings.push(wrong(t`the livepatch core has not patched ${object}`));
  }
  // 2. The bytes in memory.
  const memory = readEntry(evidence, replaced);
  findings.push(...memory.findings);
  // 3. ftrace's record, and whether it tells of the same call.
  const target = memory.entry?.kind === "call" ? memory.entry.target : null;
  const record = recordOf(evidence, replaced, target);
  findings.push(...judgeRecord(system, evidence, record, target));
  return {
    object,
    name,
    sympos,
    result: resultOf(findings),
    loaded: true,
    address: memory.address === null ? null : formatAddress(memory.address),
    entry: memory.bytes === null ? null : hexOf(memory.bytes),
    calls: nameOfCall(evidence, record ?? null, target),
    findings,
    otherUsers: otherUsersOf(evidence, replaced, record ?? null),
  };
}

interface InMemory {
  readonly address: Address | null;
  readonly bytes: Uint8Array | null;
  readonly entry: FunctionEntry | null;
  readonly findings: readonly Finding[];
}

function readEntry({ symbols, memory, architecture }: Evidence, replaced: ReplacedFunction): InMemory {
  const nothing = { address: null, bytes: null, entry: null };
  if (symbols === null) {
    const why = t`/proc/kallsyms shows no addresses: see /proc/sys/kernel/kptr_restrict`;
    return { ...nothing, findings: [unknown(why)] };
  }
  const address = symbols.get(keyOf(replaced))?.[Math.max(replaced.sympos, 1) - 1] ?? null;
  if (address === null) {
    return { ...nothing, findings: [unknown(t`/proc/kallsyms does not list it`)] };
  }
  if (memory === null || architecture === null) {
    return { ...nothing, address, findings: [] }; // told once, for all functions
  }
  const bytes = memory.read(address, architecture.entryBytes);
  if (bytes === null) {
    const why = t`/proc/kcore does not show the memory at ${formatAddress(address)}`;
    return { ...nothing, address, findings: [unknown(why)] };
  }
  return { address, bytes, ...judgeEntry(architecture, bytes, address) };
}

function judgeEntry(
  architecture: Architecture,
  bytes: Uint8Array,
  address: Address,
): Pick<InMemory, "entry" | "findings"> {
  const entry = architecture.readEntry(bytes, address);
  switch (entry.kind) {
    case "call":
      return { entry, findings: [] };
    case "nop":
      return { entry, findings: [wrong(t`its entry in memory calls nobody: the original runs`)] };
    case "other":
      return { entry, findings: [wrong(t`its entry in memory is no call of ftrace's`)] };
  }
}

/** Its record; of several functions of one name and object the one that calls there. Undefined: unreadable. */
function recordOf(
  { records }: Evidence,
  replaced: ReplacedFunction,
  target: Address | null,
): FtraceRecord | null | undefined {
  if (records === null) {
    return undefined;
  }
  const own = records.get(keyOf(replaced)) ?? [];
  return (
    own.find(({ trampoline }) => trampoline !== null && trampoline === target) ??
    own.find(({ flags }) => flags.includes("I")) ??
    own[0] ??
    null
  );
}

function judgeRecord(
  system: System,
  evidence: Evidence,
  record: FtraceRecord | null | undefined,
  target: Address | null,
): readonly Finding[] {
  if (record === undefined) {
    return []; // told once, for all functions
  }
  if (record === null) {
    return [wrong(t`ftrace has no record of it`)];
  }
  const { trampoline, handler, flags } = record;
  if (!flags.includes("I")) {
    return [wrong(t`ftrace's record does not let a live patch redirect it`)];
  }
  if (trampoline !== null && handler !== klpHandler) {
    return [wrong(t`ftrace leads it to ${handler ?? "?"}, wanted ${klpHandler}`)];
  }
  const wanted = trampoline === null ? sharedAddresses(evidence) : [trampoline];
  if (target === null || wanted === null || wanted.includes(target)) {
    return [];
  }
  const where = describeAddress(system, target);
  return [wrong(t`its entry in memory calls ${where}, which is not what ftrace has put there`)];
}

function sharedAddresses({ symbols }: Evidence): readonly Address[] | null {
  return symbols === null ? null : ftraceSymbols.flatMap((name) => symbols.get(keyOf(name)) ?? []);
}

function nameOfCall(evidence: Evidence, record: FtraceRecord | null, target: Address | null): string | null {
  if (target === null) {
    return null;
  }
  if (record?.trampoline === target) {
    return record.handler;
  }
  const shared = ftraceSymbols.find((name) => evidence.symbols?.get(keyOf(name))?.includes(target) === true);
  return shared?.name ?? `0x${formatAddress(target)}`;
}
