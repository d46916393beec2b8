import { describe, expect, test } from "vitest";
import { disassemblerOf } from "./disassembly.ts";
import { sideBySide } from "./sides.ts";

const x86 = await disassemblerOf(62);
const code = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

describe("the disassembler of x86-64", () => {
  test("names what relocations reach", () => {
    // call, mov rdi from memory, mov rdi an immediate, cmp [rip], and a jump table's displacement
    const bytes = code(
      "e8 00000000  48 8b 3d 00000000  48 c7 c7 00000000  83 3d 00000000 07  48 8b 04 c5 00000000",
    );
    const targets: readonly (readonly [number, string])[] = [
      [1, "printk"],
      [8, "table+0x8"],
      [15, '"text"'],
      [21, "flag"],
      [30, "jumps"],
    ];
    const lines = x86(
      bytes,
      targets.map(([offset, target]) => ({ offset, target })),
    );
    expect(lines.map((line) => line.trim())).toEqual([
      "call printk",
      "mov rdi, [table+0x8]",
      'mov rdi, "text"',
      expect.stringMatching(/^cmp dword ptr \[flag\], 7$/),
      "mov rax, [rax*8+jumps]",
    ]);
  });

  test("labels jumps inside of the function, and only those", () => {
    expect(x86(code("74 02  ff c0  ff c8  eb fa"), [])).toEqual([
      "  je L2",
      "L1:",
      "  inc eax",
      "L2:",
      "  dec eax",
      "  jmp L1",
    ]);
  });

  test("stands bytes that are no code", () => {
    expect(x86(code("06 0f 0b"), []).length).toBeGreaterThan(0);
  });
});

test("of another machine the bytes are shown", async () => {
  const dump = await disassemblerOf(21);
  expect(dump(code("00010203"), [])).toEqual(["  0000  00 01 02 03"]);
});

test("sideBySide() sets equal lines at one height, whatever the labels' numbers", () => {
  expect(sideBySide(["a", "je L1", "b", "c"], ["a", "new", "je L2", "x", "c"])).toEqual([
    ["a", "a", 1],
    [null, "new", 0],
    ["je L1", "je L2", 1],
    ["b", "x", 0],
    ["c", "c", 1],
  ]);
});
