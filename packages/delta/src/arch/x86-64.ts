/**
 * x86-64. Source: System V ABI, AMD64 supplement, "Relocation Types"; Intel SDM volume 2, chapter 2.
 *
 * A PC-relative field is counted from the end of its instruction, and the assembler hides that distance in the
 * addend: `call f` has -4 because the field is the last thing in it, `cmpb $0, x(%rip)` has -5 because a byte
 * follows. Where the relocation names x itself nothing is lost. Where it names x's section, addend and place can
 * only be told apart by knowing what follows the field.
 */
import { EM_X86_64, type ObjectSection } from "@kgraft/elf";
import type { Architecture } from "./architecture.ts";

const R_X86_64_NONE = 0;
const R_X86_64_64 = 1;
const R_X86_64_PC32 = 2;
const R_X86_64_PLT32 = 4;
const R_X86_64_32 = 10;
const R_X86_64_32S = 11;
const R_X86_64_PC64 = 24;

/** The types that the kernel's module loader applies (arch/x86/kernel/module.c). */
const fieldSizes: Readonly<Record<number, number>> = {
  [R_X86_64_NONE]: 0,
  [R_X86_64_64]: 8,
  [R_X86_64_PC32]: 4,
  [R_X86_64_PLT32]: 4,
  [R_X86_64_32]: 4,
  [R_X86_64_32S]: 4,
  [R_X86_64_PC64]: 8,
};

export const x86_64: Architecture = {
  name: "x86-64",
  machine: EM_X86_64,
  fieldSizeBytes: (type) => fieldSizes[type],
  pcDistance(code, offset, type) {
    if (type === R_X86_64_PC64) return 8;
    if (type !== R_X86_64_PC32 && type !== R_X86_64_PLT32) return 0;
    return 4 + (isBranch(code, offset) ? 0 : immediateSizeBytes(code, offset));
  },
  isBranch: (code, offset, type) =>
    (type === R_X86_64_PC32 || type === R_X86_64_PLT32) && isBranch(code, offset),
  hasTracedEntry: (section, start) => hasFentry(section, start),
};

/** e8 call, e9 jmp, 0f 80..8f jcc. A ModRM byte before a PC-relative memory operand is never one of these. */
function isBranch(code: Uint8Array, offset: number): boolean {
  const last = code[offset - 1];
  const before = code[offset - 2];
  return last === 0xe8 || last === 0xe9 || (before === 0x0f && last !== undefined && (last & 0xf0) === 0x80);
}

/**
 * Bytes between a PC-relative memory operand and the end of its instruction: the immediate. The operand's ModRM
 * byte (mod 00, rm 101) stands before the field and the opcode before that, so the immediate's size can be read
 * off backwards:
 *
 *     f6 05 <disp32> 08            testb $8, x(%rip)      opcode f6 /0, one byte
 *     66 c7 05 <disp32> 34 12      movw $0x1234, x(%rip)  opcode c7, two bytes because of 66
 *     f0 0f c1 05 <disp32>         lock xadd %eax, x(%rip)  0f map, none
 */
function immediateSizeBytes(code: Uint8Array, offset: number): number {
  const opcode = code[offset - 2] ?? 0;
  const register = ((code[offset - 1] ?? 0) >> 3) & 7;
  // A 0f before the opcode may also be the end of the instruction before it (`and $15, %ebx` is 83 e3 0f), so it
  // counts only for opcodes that exist with it and, with a memory operand, in no other way.
  const in0f = code[offset - 3] === 0x0f;
  switch (opcode) {
    case 0x80: // group 1, byte
    case 0x83: // group 1, byte sign-extended
    case 0x6b: // imul by a byte
    case 0xc6: // mov byte; shufps has a byte as well
      return 1;
    case 0xc0: // shifts by a byte; in the 0f map xadd
    case 0xc1:
      return in0f ? 0 : 1;
    case 0xf6: // test byte is /0 and /1; not, neg, mul, div have no immediate
      return register < 2 ? 1 : 0;
    case 0x81: // group 1
    case 0x69: // imul
      return operandSizeBytes(code, offset);
    case 0xc7: // mov is /0; cmpxchg8b and its kin are not
      return register === 0 ? operandSizeBytes(code, offset) : 0;
    case 0xf7:
      return register < 2 ? operandSizeBytes(code, offset) : 0;
    default:
      // 0f map: bt group, double shifts, pcmp and shuffles take a byte; the rest takes none.
      return in0f && [0xba, 0xa4, 0xac, 0x70, 0xc2, 0xc4, 0xc5].includes(opcode) ? 1 : 0;
  }
}

/** 2 with an operand-size prefix 66 (REX may stand between it and the opcode), otherwise 4: never 8. */
function operandSizeBytes(code: Uint8Array, offset: number): number {
  const before = code[offset - 3];
  const isRex = before !== undefined && (before & 0xf0) === 0x40;
  return before === 0x66 || (isRex && code[offset - 4] === 0x66) ? 2 : 4;
}

/**
 * A traced function calls `__fentry__` first (-mfentry), after an `endbr64` where the kernel has IBT; or, with
 * -fpatchable-function-entry, its address is listed in `__patchable_function_entries`, which stays with the section
 * that it is linked to.
 */
function hasFentry(section: ObjectSection, start: number): boolean {
  const endbr64 = [0xf3, 0x0f, 0x1e, 0xfa].every((byte, at) => section.data[start + at] === byte);
  const call = start + (endbr64 ? 4 : 0) + 1;
  return section.relocations.some(
    (relocation) => relocation.offset === call && relocation.symbol.name === "__fentry__",
  );
}
