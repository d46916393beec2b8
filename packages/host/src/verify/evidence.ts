/** What the machine says of all functions at once: each of its large files is read one time. */
import type { Finding } from "@kgraft/contract";
import { type Architecture, architectureOf } from "../arch/architecture.ts";
import { type FtraceRecord, readFtraceRecords } from "../ftrace.ts";
import { type Probe, readProbes } from "../kprobes.ts";
import { t } from "../language.ts";
import type { System } from "../system.ts";
import { readText } from "../text.ts";
import { unknown } from "./finding.ts";
import { type KernelMemory, MemoryError, openMemory } from "./memory.ts";
import { findSymbols, keyOf, type SymbolName, type SymbolTable } from "./symbols.ts";

export interface Evidence {
  readonly symbols: SymbolTable | null;
  readonly memory: KernelMemory | null;
  readonly architecture: Architecture | null;
  /** By `OBJECT:NAME`. */
  readonly records: ReadonlyMap<string, readonly FtraceRecord[]> | null;
  readonly probes: readonly Probe[];
  /** Which tracer of ftrace is at work; null for none. */
  readonly tracer: string | null;
  /** What cannot be told of any function. */
  readonly findings: readonly Finding[];
}

/** Reads all that is needed of these symbols. */
export function readEvidence(system: System, names: readonly SymbolName[]): Evidence {
  const findings: Finding[] = [];
  const memory = tryOpenMemory(system, findings);
  const architecture = memory === null ? null : architectureOf(memory.machine);
  if (memory !== null && architecture === null) {
    findings.push(
      unknown(t`how functions begin on processors of ELF machine ${memory.machine} is not known`),
    );
  }
  const records = readFtraceRecords(system);
  if (records === null) {
    findings.push(unknown(t`/sys/kernel/tracing/enabled_functions cannot be read: mount -t tracefs`));
  }
  const tracer = readText(system, "/sys/kernel/tracing/current_tracer")?.trim() ?? "nop";
  return {
    symbols: findSymbols(system, names),
    memory,
    architecture,
    records: records === null ? null : Map.groupBy(records, keyOf),
    probes: readProbes(system) ?? [],
    tracer: tracer === "nop" || tracer === "" ? null : tracer,
    findings,
  };
}

function tryOpenMemory(system: System, findings: Finding[]): KernelMemory | null {
  try {
    return openMemory(system);
  } catch (error) {
    if (error instanceof MemoryError) {
      findings.push(unknown(error.message));
      return null;
    }
    throw error;
  }
}
