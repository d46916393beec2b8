import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfObject, readObject, sectionNamed } from "@kgraft/elf";
import { expect, test } from "vitest";
import { x86_64 } from "./x86-64.ts";
import { decode } from "./x86-64-instructions.ts";

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
const neighbours: readonly string[] = ["nop", "andl $15, %ebx", "movb $0x66, %al", "cmpb $0xe8, %cl"];

test.each(neighbours)("pcDistance() reaches the symbol for each form after %s", (neighbour) => {
  const object = assemble(
    `.text\n${instructions.map((form) => `${neighbour}\n${form}`).join("\n")}\n.section .other\n.globl x\nx: .quad 0\n`,
  );
  const text = sectionNamed(object, ".text");
  const reached = text?.relocations.map(
    ({ offset, type, addend }) => addend + x86_64.pcDistance(text.data, offset, type),
  );
  expect(Object.fromEntries(instructions.map((name, index) => [name, reached?.[index]]))).toEqual(
    Object.fromEntries(instructions.map((name) => [name, 0])),
  );
});

/** One of each form of instruction: prefixes, maps, addresses, immediates. */
const forms: readonly string[] = [
  ...instructions.map((form) => form.replaceAll(/\bx\b(?!\()/g, ".").replaceAll("x(%rip)", "64(%rip)")),
  "addb $1, %al",
  "addl $0x12345, %eax",
  "addw $0x1234, %ax",
  "movb %al, (%rsp)",
  "movl %eax, 8(%rsp,%rbx,4)",
  "movl %eax, 0x12345678(%rbp)",
  "movl %eax, 0x12345678",
  "movl %eax, 0x10(,%rbx,8)",
  "movl %eax, (%r13)",
  "movl %eax, (%r12)",
  "movabsq $0x123456789abcdef0, %rax",
  "movabsb 0x123456789abcdef0, %al",
  "movl $1, %eax",
  "movw $1, %ax",
  "pushq $5",
  "pushq $0x12345",
  "ret",
  "ret $8",
  "enter $16, $1",
  "int3",
  "int $0x80",
  "ud2",
  "syscall",
  "rep movsb",
  "lock cmpxchg8b (%rdi)",
  "addr32 movl (%eax), %ebx",
  "movl %gs:0x10, %eax",
  "nopw 0x200(%rax,%rax,1)",
  "endbr64",
  "testb $1, (%rax)",
  "notb (%rax)",
  "testw $0x1234, (%rax)",
  "negl 4(%rax)",
  "cmpxchg16b (%rdi)",
  "bsfl %eax, %ebx",
  "bswap %rax",
  "shrd $3, %eax, (%rbx)",
  "fldl (%rax)",
  "pshufd $1, %xmm0, %xmm1",
  "pshufb (%rax), %xmm1",
  "palignr $4, (%rax), %xmm1",
  "crc32b (%rax), %ecx",
  "cvtsi2sd %rax, %xmm0",
  "vzeroupper",
  "vaddpd (%rax), %ymm1, %ymm2",
  "vpshufb %xmm1, %xmm2, %xmm3",
  "vpermq $1, %ymm1, %ymm2",
  "vpshufd $1, (%r9), %ymm2",
  "vpaddd 64(%rax), %zmm1, %zmm2",
  "vpternlogd $0x96, %zmm1, %zmm2, %zmm3",
  "kmovq %k1, %rax",
  "andn %eax, %ebx, %ecx",
  "rorx $3, %eax, %ebx",
  "jmp .",
  "jmp *%rax",
  "jne . + 0x1000",
  "call . + 0x1000",
  "loop .",
  "invpcid (%rax), %rbx",
  "rdtscp",
  "stac",
  "wrmsr",
  "verw 8(%rax)",
  "lfence",
  "xsaveopt (%rdi)",
];

test("decode() ends each instruction where the assembler does", () => {
  const object = assemble(forms.map((form, index) => `.globl at${index}\nat${index}: ${form}\n`).join(""));
  const text = sectionNamed(object, ".text");
  const starts = object.symbols.filter(({ name }) => name.startsWith("at")).map(({ value }) => value);
  const ends = [...starts.slice(1), text?.sizeBytes];
  const found = starts.map((start) => decode(text!.data, start).end); // .text is always there
  expect(Object.fromEntries(forms.map((form, index) => [form, found[index]]))).toEqual(
    Object.fromEntries(forms.map((form, index) => [form, ends[index]])),
  );
});

test("resolvedReferences() says where fields lead that the assembler filled", () => {
  const object = assemble(
    ".text\nfirst: call second\nleaq second(%rip), %rax\ncmpb $1, second(%rip)\njmp second\nsecond: ret\n",
  );
  const text = sectionNamed(object, ".text")!; // .text is always there
  const second = text.sizeBytes - 1;
  expect(text.relocations).toEqual([]);
  const found = x86_64.resolvedReferences(text.data);
  expect(found.map(({ place }) => place)).toEqual([second, second, second, second]);
  // A short jump: no module loader knows a relocation for it.
  expect(found.map(({ type }) => x86_64.fieldSizeBytes(type))).toEqual([4, 4, 4, undefined]);
});

test("takesAddress() tells what computes with an address from what reads a place", () => {
  const object = assemble(
    ".text\nmovq $x, %rdi\ncmpq $x+8, %rax\nmovl x(,%rax,4), %eax\nleaq x(%rip), %rax\nmovl x(%rip), %eax\nincl x(%rip)\n",
  );
  const text = sectionNamed(object, ".text");
  const found = text?.relocations.map(({ offset, type }) => x86_64.takesAddress(text.data, offset, type));
  expect(found).toEqual([true, true, true, true, false, false]);
});

test("isBranch() tells calls and jumps from addresses", () => {
  const object = assemble(".text\ncall x\njmp x\nje x\nleaq x(%rip), %rax\nmovq $x, %rax\ncall *x(%rip)\n");
  const text = sectionNamed(object, ".text");
  const found = text?.relocations.map(({ offset, type }) => x86_64.isBranch(text.data, offset, type));
  expect(found).toEqual([true, true, true, false, false, false]);
});
