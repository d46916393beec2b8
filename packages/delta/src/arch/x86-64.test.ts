import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfObject, readObject, sectionNamed } from "@kgraft/elf";
import { expect, test } from "vitest";
import { x86_64 } from "./x86-64.ts";

function assemble(source: string): ElfObject {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-x86-"));
  try {
    writeFileSync(join(directory, "unit.s"), source);
    execFileSync("gcc", ["-c", "-o", "unit.o", "unit.s"], { cwd: directory });
    return readObject(bytesSource("unit.o", readFileSync(join(directory, "unit.o"))));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The assembler itself says where the field ends: each instruction reaches x, whatever follows the field. */
const instructions = [
  "movl x(%rip), %eax",
  "movq x(%rip), %r12",
  "leaq x(%rip), %rdi",
  "movl $0x12345678, x(%rip)",
  "movw $0x1234, x(%rip)",
  "movb $1, x(%rip)",
  "movq $-1, x(%rip)",
  "cmpb $0, x(%rip)",
  "cmpl $1, x(%rip)",
  "cmpl $0x1000, x(%rip)",
  "cmpw $0x1000, x(%rip)",
  "cmpq $0x1000, x(%rip)",
  "testb $8, x(%rip)",
  "testl $0x800, x(%rip)",
  "testw $0x800, x(%rip)",
  "notl x(%rip)",
  "negq x(%rip)",
  "divl x(%rip)",
  "mulq x(%rip)",
  "incl x(%rip)",
  "addl %eax, x(%rip)",
  "addl $1, x(%rip)",
  "orl $0x10000, x(%rip)",
  "imull $10, x(%rip), %eax",
  "imull $1000, x(%rip), %eax",
  "imulw $1000, x(%rip), %ax",
  "imulq x(%rip), %rax",
  "shll $3, x(%rip)",
  "shll x(%rip)",
  "shrq %cl, x(%rip)",
  "btl $3, x(%rip)",
  "btsq $40, x(%rip)",
  "bt %eax, x(%rip)",
  "shldl $3, %eax, x(%rip)",
  "movzbl x(%rip), %eax",
  "lock xaddl %eax, x(%rip)",
  "lock cmpxchgq %rcx, x(%rip)",
  "lock cmpxchg16b x(%rip)",
  "xchgl %eax, x(%rip)",
  "pushq x(%rip)",
  "call *x(%rip)",
  "jmp *x(%rip)",
  "call x",
  "jmp x",
  "jne x",
];

/** What may stand before: an instruction that ends in a byte like the one that begins two-byte opcodes. */
const neighbours: Readonly<Record<string, string>> = {
  "a no-op": "nop",
  "one that ends in 0f": "andl $15, %ebx",
};

/** c0 and c1 after a 0f are taken for xadd, which the kernel uses; these shifts it does not. */
const ambiguous: ReadonlySet<string> = new Set(["shll $3, x(%rip)"]);

test.each(Object.entries(neighbours))(
  "pcDistance() reaches the symbol for each form after %s",
  (_, neighbour) => {
    const forms = instructions.filter((form) => neighbour === "nop" || !ambiguous.has(form));
    const object = assemble(
      `.text\n${forms.map((form) => `${neighbour}\n${form}`).join("\n")}\n.section .other\n.globl x\nx: .quad 0\n`,
    );
    const text = sectionNamed(object, ".text");
    const reached = text?.relocations.map(
      ({ offset, type, addend }) => addend + x86_64.pcDistance(text.data, offset, type),
    );
    expect(Object.fromEntries(forms.map((name, index) => [name, reached?.[index]]))).toEqual(
      Object.fromEntries(forms.map((name) => [name, 0])),
    );
  },
);

test("isBranch() tells calls and jumps from addresses", () => {
  const object = assemble(".text\ncall x\njmp x\nje x\nleaq x(%rip), %rax\nmovq $x, %rax\ncall *x(%rip)\n");
  const text = sectionNamed(object, ".text");
  const found = text?.relocations.map(({ offset, type }) => x86_64.isBranch(text.data, offset, type));
  expect(found).toEqual([true, true, true, false, false, false]);
});
