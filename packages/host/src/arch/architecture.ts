import type { Address } from "../address.ts";
import { x86_64 } from "./x86-64.ts";

/** What proving a redirection must know of a processor. One file per architecture in this folder. */
export interface Architecture {
  /** As `uname -m` has it. */
  readonly name: string;
  /** e_machine of its ELF files, /proc/kcore among them. */
  readonly machine: number;
  /** How many bytes from a function's address on tell whether it is redirected. */
  readonly entryBytes: number;
  /** What the kernel has at a function's start. @param bytes `entryBytes` of them, from `address` on */
  readEntry(bytes: Uint8Array, address: Address): FunctionEntry;
}

/** The place at a function's start that ftrace turns from doing nothing into a call, and back. */
export type FunctionEntry =
  | { readonly kind: "call"; readonly target: Address }
  /** Nothing is called: the function runs as it was compiled. */
  | { readonly kind: "nop" }
  /** None of what ftrace writes there. */
  | { readonly kind: "other" };

const architectures: readonly Architecture[] = [x86_64];

/** The architecture of an e_machine value, null where it is not known here. */
export function architectureOf(machine: number): Architecture | null {
  return architectures.find((candidate) => candidate.machine === machine) ?? null;
}
