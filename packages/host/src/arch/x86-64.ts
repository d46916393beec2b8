/**
 * A function's start on x86-64 (arch/x86/kernel/ftrace.c, Intel's manual volume 2):
 *
 *     f3 0f 1e fa        endbr64, only in kernels with IBT; where nobody takes the function's address the kernel writes
 *                        another instruction over it as it starts: one of the following
 *     66 0f 1f 00        osp nopl (%rax), since 5.18 (commit ed53a0d97192, gen_endbr_poison() in asm/ibt.h)
 *     0f 1f 40 d6        nopl -42(%rax), in newer ones
 *     e8 rel32           call: redirected; rel32 counts from the end of the instruction
 *     0f 1f 44 00 00     nop of five bytes: not redirected
 *
 * What some kernels have before the symbol (padding, a hash for CFI) does not matter here.
 */
import type { Architecture } from "./architecture.ts";

const beginnings = [
  [0xf3, 0x0f, 0x1e, 0xfa],
  [0x66, 0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0xd6],
] as const;
const beginningBytes = 4;
const nop = [0x0f, 0x1f, 0x44, 0x00, 0x00];
const call = 0xe8;
const callBytes = 5;

export const x86_64: Architecture = {
  name: "x86_64",
  machine: 62,
  entryBytes: beginningBytes + callBytes,
  readEntry(bytes, address) {
    const at = beginnings.some((beginning) => startsWith(bytes, 0, beginning)) ? beginningBytes : 0;
    if (startsWith(bytes, at, nop)) {
      return { kind: "nop" };
    }
    if (bytes[at] !== call || at + callBytes > bytes.length) {
      return { kind: "other" };
    }
    const distance = new DataView(bytes.buffer, bytes.byteOffset + at + 1, 4).getInt32(0, true);
    return { kind: "call", target: address + BigInt(at + callBytes + distance) };
  },
};

function startsWith(bytes: Uint8Array, at: number, wanted: readonly number[]): boolean {
  return wanted.every((byte, index) => bytes[at + index] === byte);
}
