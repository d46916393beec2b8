import * as fc from "fast-check";
import { expect, test } from "vitest";
import { kcoreFile } from "../../test/kcore.ts";
import { makeMachine } from "../../test/machine.ts";
import { type KernelMemory, openMemory } from "./memory.ts";

const text = { address: -0x7f000000n, bytes: new Uint8Array([1, 2, 3, 4, 5]) };
const modules = { address: -0x40000000n, bytes: new Uint8Array([6, 7]) };
const whole = kcoreFile([text, modules]);

function open(file: Uint8Array): KernelMemory {
  return openMemory(makeMachine({ "/proc/kcore": file }).system);
}

test("openMemory() reads where a segment has the address", () => {
  const memory = open(whole);
  expect(memory.machine).toBe(62);
  expect(memory.read(text.address + 1n, 3)).toEqual(new Uint8Array([2, 3, 4]));
  expect(memory.read(modules.address, 2)).toEqual(modules.bytes);
});

test.each([
  ["before", text.address - 1n, 1],
  ["behind", text.address + 5n, 1],
  ["across the end", text.address + 4n, 2],
  ["in no segment", 0n, 1],
])("openMemory() gives null %s", (_, address, lengthBytes) => {
  expect(open(whole).read(address, lengthBytes)).toBeNull();
});

function changed(change: (file: Buffer) => void): Uint8Array {
  const file = Buffer.from(whole);
  change(file);
  return new Uint8Array(file);
}

test.each([
  ["is gone", null, "cannot read /proc/kcore: ENOENT"],
  ["is empty", new Uint8Array(), "0 bytes at 0, wanted 64"],
  ["is no ELF file", changed((file) => file.fill(0, 0, 4)), "it is no ELF core file of 64 bits"],
  ["has 32 bits", changed((file) => file.writeUInt8(1, 4)), "it is no ELF core file of 64 bits"],
  ["has too many headers", changed((file) => file.writeUInt16LE(0xffff, 56)), "65535 program headers at 64"],
  ["has headers far away", changed((file) => file.writeBigUInt64LE(1n << 40n, 32)), "3 program headers at "],
  ["ends in its headers", whole.subarray(0, 100), "36 bytes at 64, wanted 168"],
])("openMemory() refuses a file that %s", (_, file, message) => {
  const machine = makeMachine(file === null ? {} : { "/proc/kcore": file });
  expect(() => openMemory(machine.system)).toThrow(
    expect.objectContaining({ name: "MemoryError", message: expect.stringContaining(message) as string }),
  );
});

function outcomeOf(file: Uint8Array): string {
  try {
    const bytes = open(file).read(text.address, 5);
    return bytes === null ? "null" : `${bytes.length} bytes`;
  } catch (error) {
    return error instanceof Error ? error.name : "?";
  }
}

test("openMemory() gives bytes, null or MemoryError for any damage", () => {
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(damage, fc.nat(whole.length), (changes, cut) => {
      const file = changed((bytes) => changes.forEach(([at, value]) => bytes.writeUInt8(value, at)));
      expect(outcomeOf(file.subarray(0, cut))).toMatch(/^(5 bytes|null|MemoryError)$/);
    }),
    { numRuns: 60 },
  );
});
