import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { playWriteLog, readWriteLog } from "./write-log.ts";

// As QEMU 7.2 writes it; that a real one is read too is shown by packages/host/test/power-cut.test.ts.
function entry(sector: number, sectors: number, flags: number, letter = ""): Buffer {
  const header = Buffer.alloc(512);
  for (const [at, value] of [sector, sectors, flags].entries()) {
    header.writeBigUInt64LE(BigInt(value), at * 8);
  }
  return Buffer.concat([header, Buffer.alloc(letter === "" ? 0 : sectors * 512, letter)]);
}

function logFile(entries: readonly Buffer[]): { log: string; disk: string } {
  const folder = mkdtempSync(join(tmpdir(), "kgraft-write-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [log, disk] = [join(folder, "log"), join(folder, "disk")];
  writeFileSync(log, Buffer.concat([Buffer.alloc(512), ...entries]));
  writeFileSync(disk, Buffer.alloc(4 * 512, "."));
  return { log, disk };
}

const entries = [
  entry(0, 1, 0, "a"),
  entry(0, 0, 1),
  entry(1, 2, 0, "b"),
  entry(3, 1, 2, "c"),
  entry(2, 1, 4),
] as const;

test("readWriteLog() tells writes, flushes and discards apart", () => {
  const { log } = logFile(entries);
  expect(readWriteLog(log)).toEqual([
    { kind: "write", offset: 0, sizeBytes: 512, at: 1024, durable: false },
    { kind: "flush" },
    { kind: "write", offset: 512, sizeBytes: 1024, at: 2560, durable: false },
    { kind: "write", offset: 1536, sizeBytes: 512, at: 4096, durable: true },
    { kind: "discard", offset: 1024, sizeBytes: 512 },
  ]);
});

test.each([
  [0, false, "...."],
  [1, false, "a..."],
  [1, true, "...."],
  [2, true, "a..."],
  [3, false, "abb."],
  [3, true, "a..."],
  [4, true, "a..c"],
  [5, false, "abbc"],
])("playWriteLog() of %i requests, unflushed ones lost: %s, leaves %s", (count, lost, wanted) => {
  const { log, disk } = logFile(entries);
  const descriptor = openSync(disk, "r+");
  playWriteLog(log, readWriteLog(log), descriptor, count, () => lost);
  closeSync(descriptor);
  const letters = readFileSync(disk, "latin1");
  expect([0, 1, 2, 3].map((sector) => letters[sector * 512]).join("")).toBe(wanted);
});
