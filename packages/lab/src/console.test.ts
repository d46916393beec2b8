import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { readConsole } from "./console.ts";

function open(): {
  stream: PassThrough;
  lines: string[];
  panics: number[];
  log: ReturnType<typeof readConsole>;
} {
  const stream = new PassThrough();
  const lines: string[] = [];
  const panics: number[] = [];
  const log = readConsole(stream, { onLine: (line) => lines.push(line), onPanic: () => panics.push(1) });
  return { stream, lines, panics, log };
}

test("readConsole() gives whole lines, and the last one when it closes", async () => {
  const { stream, lines, log } = open();
  for (const piece of ["[    0.1", "00000] one\r", "\ntw", "o\nthree"]) stream.write(piece);
  await sleep(1);
  expect(lines).toEqual(["[    0.100000] one", "two"]);
  expect(log.text).toBe("[    0.100000] one\ntwo\nthree");
  stream.destroy();
  await sleep(1);
  expect(lines.at(-1)).toBe("three");
});

test("readConsole() tells a panic once, and only from the kernel", async () => {
  const { stream, panics, log } = open();
  stream.write("echo Kernel panic - not syncing: said by a program\n");
  await sleep(1);
  expect(log.panic).toBeUndefined();
  stream.write(
    "[    1.500000] Kernel panic - not syncing: first\n[    1.600000] Kernel panic - not syncing: second\n",
  );
  await sleep(1);
  expect([log.panic, panics.length]).toEqual(["first", 1]);
});

test("readConsole() tells a fault as soon as its report is whole", async () => {
  const { stream, log } = open();
  stream.write("[    2.000000] WARNING: CPU: 1 PID: 7 Comm: two words at kernel/x.c:1 f+0x1/0x2\n");
  stream.write("[    2.000001] RIP: 0010:f+0x1/0x2\n[    2.000002] ---[ end trace 0000000000000000 ]---\n");
  expect(await log.oops).toMatchObject({ kind: "warning", function: "f" });
});
