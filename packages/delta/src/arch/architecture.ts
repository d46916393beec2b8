import { EM_X86_64, type ObjectRelocation, type ObjectSection } from "@kgraft/elf";
import { x86_64 } from "./x86-64.ts";

/** What the engine must know of a processor. One file per architecture in this folder. */
export interface Architecture {
  readonly name: string;
  /** e_machine */
  readonly machine: number;
  /** Size of the field that a relocation type fills, in bytes; undefined for a type that no live patch may carry. */
  fieldSizeBytes(type: number): number | undefined;
  /**
   * How many bytes after the field at `offset` the processor counts from, for a relocation relative to the
   * instruction pointer in code; 0 for any other. The place reached is symbol + addend + this.
   */
  pcDistance(code: Uint8Array, offset: number, type: number): number;
  /**
   * Fields of code that count from the instruction pointer, each with the relocation that would fill it. Where no
   * relocation does, the assembler has: it reaches another place of the same section.
   */
  resolvedReferences(code: Uint8Array): readonly ResolvedReference[];
  /** Whether the field at `offset` is the target of a direct call or jump, as opposed to a function's address. */
  isBranch(code: Uint8Array, offset: number, type: number): boolean;
  /** Whether the field at `offset` may be an address that code computes with, as opposed to a place that it reads. */
  takesAddress(code: Uint8Array, offset: number, type: number): boolean;
  /** Whether at `offset` is the constant of an instruction that gives it to a register, as wide as an address. */
  canLoadInstead(code: Uint8Array, offset: number): boolean;
  /**
   * Makes that instruction load the register from memory.
   *
   * @returns the field that says from where, to be related to the variable
   */
  loadInstead(code: Uint8Array, offset: number): Pick<ObjectRelocation, "offset" | "type" | "addend">;
  /** Whether the function that lies at `start` of the section begins with the mark that an indirect branch wants (IBT). */
  hasLanding(section: ObjectSection, start: number): boolean;
  /** Whether ftrace can redirect the function that lies at `start` of the section: the compiler left it an entry. */
  hasTracedEntry(section: ObjectSection, start: number): boolean;
}

export interface ResolvedReference {
  /** Offset of the field in the section. */
  readonly offset: number;
  /** Relocation type for such a field. */
  readonly type: number;
  /** Offset in the section that it reaches. */
  readonly place: number;
  /** Bytes from the field to where the processor counts from, as `pcDistance` says. */
  readonly distance: number;
}

const architectures: readonly Architecture[] = [x86_64];

/** The architecture of an e_machine value, or undefined where the engine knows none. */
export function architectureOf(machine: number): Architecture | undefined {
  return architectures.find((architecture) => architecture.machine === machine);
}

export const knownMachines: string = `${EM_X86_64} (x86-64)`;
