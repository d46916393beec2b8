/**
 * Where an instruction of x86-64 ends and the next begins, and which field of it counts from that end: lengths only,
 * nothing of what it does.
 *
 *     66 f0 48 0f c7 8c 24 10 01 00 00
 *     prefixes, REX (VEX and EVEX name the opcode's map too), opcode, ModRM, SIB, displacement, immediate
 *
 * What follows an opcode is one letter in the table of its map, sixteen opcodes a row.
 * Source: Intel SDM volume 2, chapter 2 (formats) and appendix A (opcode maps).
 */

/** A field that counts from the end of its instruction. */
export interface RelativeField {
  /** Offset of the field in the code. */
  readonly offset: number;
  /** 1 or 4. */
  readonly sizeBytes: number;
  /** Offset of the instruction's end. */
  readonly end: number;
  /** Target of a direct call or jump; otherwise the address of an operand in memory. */
  readonly isBranch: boolean;
  /** Whether the instruction takes that address and does not go there (lea). */
  readonly isAddress: boolean;
}

const LEA = 0x8d;

/**
 * `.` nothing; `m` ModRM; `b` 1 byte, `w` 2, `e` 3, `z` 4 or 2 by operand size, `v` also 8, `o` an address; `B`, `Z`
 * ModRM and that; `t`, `T` the same in their first two forms only (test, not neg); `j`, `J` a branch of 1 or 4 bytes.
 */
type Form = string;

const oneByte: readonly string[] = [
  "mmmmbz..mmmmbz..", // 00 add, or
  "mmmmbz..mmmmbz..",
  "mmmmbz..mmmmbz..",
  "mmmmbz..mmmmbz..",
  "................", // 40 REX
  "................",
  "...m....zZbB....", // 60 movsxd, push, imul
  "jjjjjjjjjjjjjjjj",
  "BZBBmmmmmmmmmmmm", // 80 group 1, test, xchg, mov, lea
  "................",
  "oooo....bz......", // a0 mov from an address, test
  "bbbbbbbbvvvvvvvv",
  "BBw...BZe.w..b..", // c0 shifts, ret, mov
  "mmmm....mmmmmmmm",
  "jjjjbbbbJJ.j....", // e0 loop, in, call, jmp
  "......tT......mm", // f0 group 3, inc, call
];

const after0f: readonly string[] = [
  "mmmm.........m.B", // 00 descriptor tables, ud2, prefetch
  "mmmmmmmmmmmmmmmm",
  "mmmmmmmmmmmmmmmm",
  "................", // 30 rdmsr
  "mmmmmmmmmmmmmmmm",
  "mmmmmmmmmmmmmmmm",
  "mmmmmmmmmmmmmmmm",
  "BBBBmmm.mmmmmmmm", // 70 shuffles
  "JJJJJJJJJJJJJJJJ",
  "mmmmmmmmmmmmmmmm",
  "...mBmmm...mBmmm", // a0 cpuid, bt, shld, imul
  "mmmmmmmmmmBmmmmm", // b0 cmpxchg, bt by a byte
  "mmBmBBBm........", // c0 xadd, cmps, bswap
  "mmmmmmmmmmmmmmmm",
  "mmmmmmmmmmmmmmmm",
  "mmmmmmmmmmmmmmmm",
];

/** The relative fields of all instructions, by decoding from the first byte on. */
export function relativeFields(code: Uint8Array): RelativeField[] {
  const fields: RelativeField[] = [];
  for (let at = 0; at < code.length;) {
    const { end, field } = decode(code, at);
    if (field !== undefined && end <= code.length) fields.push({ ...field, end });
    at = end;
  }
  return fields;
}

interface Instruction {
  readonly end: number;
  readonly field: Omit<RelativeField, "end"> | undefined;
}

/** The end of the instruction at `start`, and the field of it that is relative to that. */
export function decode(code: Uint8Array, start: number): Instruction {
  // 1. Prefixes change the sizes of operands and addresses.
  let at = start;
  let isNarrow = false;
  let hasShortAddress = false;
  for (; prefixes.has(code[at]); at++) {
    isNarrow ||= code[at] === 0x66;
    hasShortAddress ||= code[at] === 0x67;
  }
  const rex = ((code[at] ?? 0) & 0xf0) === 0x40 ? code[at++]! : 0; // it was there to be looked at
  const isWide = (rex & 8) !== 0;
  const operandSize = isNarrow && !isWide ? 2 : 4;

  // 2. The opcode.
  const { form, next } = formAt(code, at);
  const isAddress = code[at] === LEA;
  at = next;
  if (form === "j")
    return { end: at + 1, field: { offset: at, sizeBytes: 1, isBranch: true, isAddress: false } };
  if (form === "J")
    return { end: at + 4, field: { offset: at, sizeBytes: 4, isBranch: true, isAddress: false } };

  // 3. ModRM, and the address of an operand in memory.
  const modRm = code[at] ?? 0;
  const hasModRm = "mBZtT".includes(form);
  const isRelative = hasModRm && (modRm & 0xc7) === 0x05;
  const field = isRelative ? { offset: at + 1, sizeBytes: 4, isBranch: false, isAddress } : undefined;
  if (hasModRm) at += addressSizeBytes(modRm, code[at + 1] ?? 0);

  // 4. The immediate.
  switch (form) {
    case "b":
    case "B":
      return { end: at + 1, field };
    case "w":
      return { end: at + 2, field };
    case "e":
      return { end: at + 3, field };
    case "z":
    case "Z":
      return { end: at + operandSize, field };
    case "t":
      return { end: at + (isTest(modRm) ? 1 : 0), field };
    case "T":
      return { end: at + (isTest(modRm) ? operandSize : 0), field };
    case "v":
      return { end: at + (isWide ? 8 : operandSize), field };
    case "o":
      return { end: at + (hasShortAddress ? 4 : 8), field };
    default:
      return { end: at, field };
  }
}

/** Segments, sizes of operand and address, lock, repeat. */
const prefixes: ReadonlySet<number | undefined> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
]);

/** Of group 3 (f6, f7) only the first two have an immediate: not, neg, mul, div have none. */
function isTest(modRm: number): boolean {
  return (modRm & 0x30) === 0;
}

/** ModRM, the SIB byte that may follow, and the displacement. */
function addressSizeBytes(modRm: number, sib: number): number {
  const [mod, memory] = [modRm >> 6, modRm & 7];
  if (mod === 3) return 1;
  const hasSib = memory === 4;
  const isAbsolute = mod === 0 && (hasSib ? sib & 7 : memory) === 5;
  return 1 + (hasSib ? 1 : 0) + (isAbsolute || mod === 2 ? 4 : mod);
}

function formAt(code: Uint8Array, at: number): { readonly form: Form; readonly next: number } {
  const first = code[at] ?? 0;
  const second = code[at + 1] ?? 0;
  if (first === 0xc5) return found(code, at, 1, 3); // VEX, two bytes
  if (first === 0xc4) return found(code, at, second & 0x1f, 4); // VEX, three bytes
  if (first === 0x62) return found(code, at, second & 7, 5); // EVEX
  if (first !== 0x0f) return found(code, at, 0, 1);
  if (second === 0x38) return found(code, at, 2, 3);
  return second === 0x3a ? found(code, at, 3, 3) : found(code, at, 1, 2);
}

function found(code: Uint8Array, at: number, map: number, length: number): { form: Form; next: number } {
  return { form: formOf(map, code[at + length - 1] ?? 0), next: at + length };
}

/** Map 0: one byte. 1: after 0f. 2: after 0f 38, and whatever came later. 3: after 0f 3a. */
function formOf(map: number, opcode: number): Form {
  if (map > 1) return map === 3 ? "B" : "m";
  const table = map === 0 ? oneByte : after0f;
  return table[opcode >> 4]?.[opcode & 15] ?? ".";
}
