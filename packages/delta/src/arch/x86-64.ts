/**
 * x86-64. Source: System V ABI, AMD64 supplement, "Relocation Types"; Intel SDM volume 2, chapter 2.
 *
 * A PC-relative field is counted from the end of its instruction, and the assembler hides that distance in the
 * addend: `call f` has -4 because the field is the last thing in it, `cmpb $0, x(%rip)` has -5 because a byte
 * follows. Where the relocation names x itself nothing is lost. Where it names x's section, addend and place can
 * only be told apart by knowing where the instruction ends: x86-64-instructions.ts.
 */
import { EM_X86_64, type ObjectSection } from "@kgraft/elf";
import type { Architecture } from "./architecture.ts";
import { type RelativeField, relativeFields } from "./x86-64-instructions.ts";

const R_X86_64_NONE = 0;
const R_X86_64_64 = 1;
const R_X86_64_PC32 = 2;
const R_X86_64_PLT32 = 4;
const R_X86_64_32 = 10;
const R_X86_64_32S = 11;
/** A short jump. Only the assembler itself fills these, and no module loader does. */
const R_X86_64_PC8 = 15;
const R_X86_64_PC64 = 24;

/** Prefixes: of 64 bits, and the fourth bit of the register in ModRM.reg, or in the opcode. */
const REX_W = 0x48;
const REX_R = 0x04;
const REX_B = 0x01;

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
    if (type !== R_X86_64_PC32 && type !== R_X86_64_PLT32) return 0;
    const field = fieldsOf(code).get(offset);
    // Not in an instruction: a table among the code, which counts from the field itself.
    return field === undefined ? 0 : field.end - offset;
  },
  isBranch: (code, offset, type) =>
    (type === R_X86_64_PC32 || type === R_X86_64_PLT32) && fieldsOf(code).get(offset)?.isBranch === true,
  // Absolute fields: an immediate, or what an index is added to. Relative ones: `lea` alone gives the address.
  takesAddress: (code, offset, type) =>
    (type !== R_X86_64_PC32 && type !== R_X86_64_PLT32) || fieldsOf(code).get(offset)?.isAddress === true,
  resolvedReferences(code) {
    const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
    return [...fieldsOf(code).values()].map(({ offset, sizeBytes, end }) => ({
      offset,
      type: sizeBytes === 4 ? R_X86_64_PC32 : R_X86_64_PC8,
      place: end + (sizeBytes === 4 ? view.getInt32(offset, true) : view.getInt8(offset)),
      distance: end - offset,
    }));
  },
  // movabs $imm64,%reg: REX.W, and REX.B for r8 to r15; B8 and the register; the constant.
  canLoadInstead: (code, offset) =>
    offset >= 2 &&
    offset + 8 <= code.length &&
    (code[offset - 2]! & ~REX_B) === REX_W && // both are within the code
    (code[offset - 1]! & ~7) === 0xb8,
  // mov disp32(%rip),%reg: REX.W, and REX.R; 8B; the register, and 5; the distance. It is three bytes shorter.
  loadInstead(code, offset) {
    const isHigh = (code[offset - 2]! & REX_B) !== 0; // as was looked at
    const register = code[offset - 1]! & 7;
    const load = [REX_W | (isHigh ? REX_R : 0), 0x8b, (register << 3) | 5, 0, 0, 0, 0];
    const nopl = [0x0f, 0x1f, 0x00];
    code.set([...load, ...nopl], offset - 2);
    return { offset: offset + 1, type: R_X86_64_PC32, addend: -4 };
  },
  hasLanding: (section, start) => hasEndbr(section, start),
  hasTracedEntry: (section, start) => hasFentry(section, start),
};

const decoded = new WeakMap<Uint8Array, ReadonlyMap<number, RelativeField>>();

function fieldsOf(code: Uint8Array): ReadonlyMap<number, RelativeField> {
  let known = decoded.get(code);
  if (known === undefined) {
    known = new Map(relativeFields(code).map((field) => [field.offset, field]));
    decoded.set(code, known);
  }
  return known;
}

/** A traced function calls `__fentry__` first (-mfentry), after an `endbr64` where the kernel has IBT. */
function hasFentry(section: ObjectSection, start: number): boolean {
  const call = start + (hasEndbr(section, start) ? 4 : 0) + 1;
  return section.relocations.some(
    (relocation) => relocation.offset === call && relocation.symbol.name === "__fentry__",
  );
}

function hasEndbr({ data }: ObjectSection, start: number): boolean {
  return [0xf3, 0x0f, 0x1e, 0xfa].every((byte, at) => data[start + at] === byte); // endbr64
}
