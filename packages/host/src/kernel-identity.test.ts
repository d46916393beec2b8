import { expect, test } from "vitest";
import { idleMachine, makeMachine } from "../test/machine.ts";
import { isRoot, kernelBuildId, kernelRelease } from "./kernel-identity.ts";

function note(name: string, type: number, content: readonly number[]): Buffer {
  const padded = Math.ceil((name.length + 1) / 4) * 4;
  const bytes = Buffer.alloc(12 + padded + Math.ceil(content.length / 4) * 4);
  bytes.writeUInt32LE(name.length + 1, 0);
  bytes.writeUInt32LE(content.length, 4);
  bytes.writeUInt32LE(type, 8);
  bytes.write(name, 12);
  bytes.set(content, 12 + padded);
  return bytes;
}

test.each([
  ["first", Buffer.concat([note("GNU", 3, [0xab, 0xcd, 1, 2])]), "abcd0102"],
  [
    "after others",
    Buffer.concat([note("Linux", 257, [1, 2, 3]), note("Xen", 3, [9]), note("GNU", 3, [0, 255])]),
    "00ff",
  ],
  ["another GNU note", note("GNU", 1, [1, 2, 3, 4]), null],
  ["cut off", note("GNU", 3, [1, 2, 3, 4]).subarray(0, -1), null],
  ["empty", Buffer.alloc(0), null],
  ["garbage", Buffer.alloc(4096, 0xff), null],
])("kernelBuildId() %s", (_, notes, wanted) => {
  expect(kernelBuildId(makeMachine({ "/sys/kernel/notes": new Uint8Array(notes) }).system)).toBe(wanted);
});

test("kernelBuildId() without notes is null", () => {
  expect(kernelBuildId(makeMachine({}).system)).toBeNull();
});

test("kernelRelease() is what uname -r prints", () => {
  expect(kernelRelease(makeMachine(idleMachine).system)).toBe("6.1.0-55-cloud-amd64");
});

test.each([
  ["root", "Uid:\t1000\t0\t0\t0\n", true],
  ["a user", "Uid:\t0\t1000\t1000\t1000\n", false],
  ["nothing", "", false],
])("isRoot() for %s", (_, status, wanted) => {
  expect(isRoot(makeMachine({ "/proc/self/status": status }).system)).toBe(wanted);
});
