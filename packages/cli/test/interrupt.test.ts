import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchKernel } from "@kgraft/kernel";
import { beforeAll, expect, test } from "vitest";
import { release, runKgraft, type Running, scratch, startKgraft, writePatch } from "./kgraft.ts";

// Ctrl-C in the long stages: 130, no process left, no file left.

beforeAll(async () => {
  await fetchKernel({ release }, { onProgress: () => {}, signal: new AbortController().signal });
});

/** Waits until so many processes of this name have come of the run, one after the other or at once. */
async function seen(running: Running, name: string, count = 1): Promise<void> {
  const found = new Set<number>();
  for (let tries = 0; tries < 600; tries++) {
    for (const pid of await running.processes()) {
      const own = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
      if (own.trim() === name) found.add(pid);
      if (found.size === count) return;
    }
    await sleep(25);
  }
  throw new Error(`no ${count} processes ${name} came`);
}

test("kgraft build stops compiling, and leaves nothing", async () => {
  await using directory = await scratch();
  const output = join(directory.path, "out");
  const temporary = join(directory.path, "tmp");
  await mkdir(temporary);
  // New each time, so that no object of an earlier run will do.
  const patch = await writePatch(
    directory.path,
    "fs/ext4/mballoc.c",
    (text) => `${text}\n/* ${randomUUID()} */\n`,
  );
  const running = startKgraft(["build", "--kernel", release, patch, "-o", output], { TMPDIR: temporary });
  await seen(running, "cc1");
  running.interrupt();
  const { code, stdout, stderr } = await running.finished;
  expect(stderr).toMatch(/kgraft: interrupted by SIGINT/);
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  expect(await running.processes()).toEqual([]);
  expect(await readdir(output).catch(() => [])).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
});

test("kgraft build goes on where it was interrupted: what was compiled is not compiled again", async () => {
  await using directory = await scratch();
  // A header that several units read, as nobody has compiled it before.
  const patch = await writePatch(directory.path, "include/linux/sched/loadavg.h", (text) =>
    text.replace("LOAD_INT(x) ((x) >> FSHIFT)", `LOAD_INT(x) (((x) >> FSHIFT) + ${Date.now() % 1_000_000})`),
  );
  const words = ["build", "--kernel", release, patch, "-o", directory.path, "--name", "resumed", "--json"];
  const running = startKgraft(words);
  // As many as there are processors may be lost half done; of two units both objects, before and after, are there.
  await seen(running, "cc1", availableParallelism() + 4);
  running.interrupt();
  expect(await running.finished).toMatchObject({ code: 130 });
  const { code, stdout } = await runKgraft(words);
  const { units } = JSON.parse(stdout) as { readonly units: readonly { readonly cached: boolean }[] };
  expect(code).toBe(0);
  expect(units.length).toBeGreaterThan(5);
  expect(units.filter(({ cached }) => cached).length).toBeGreaterThan(0);
  expect(units.filter(({ cached }) => !cached).length).toBeGreaterThan(0);
});

test("kgraft lab run ends its guest, and leaves nothing", async () => {
  await using directory = await scratch();
  const share = join(directory.path, "share");
  const temporary = join(directory.path, "tmp");
  await mkdir(share);
  await mkdir(temporary);
  const args = ["lab", "run", "--kernel", release, "--share", share, "--disk", "8M", "--json", "--"];
  const running = startKgraft([...args, "sh", "-c", "touch /share/here; sleep 1000"], { TMPDIR: temporary });
  while ((await readdir(share)).length === 0) await sleep(100);
  running.interrupt();
  const { code, stdout } = await running.finished;
  expect(code).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ error: { name: "Interrupted", exitCode: 130 } });
  expect(await running.processes()).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
});

test("kgraft demo ends its guests, and leaves nothing", async () => {
  await using directory = await scratch();
  const running = startKgraft(["demo"], { TMPDIR: directory.path });
  await seen(running, "qemu-system-x86");
  running.interrupt();
  const { code, stderr } = await running.finished;
  expect(stderr).toMatch(/kgraft: interrupted by SIGINT/);
  expect(code).toBe(130);
  expect(await running.processes()).toEqual([]);
  expect(await readdir(directory.path)).toEqual([]);
});

test("a second Ctrl-C ends it at once", async () => {
  const running = startKgraft(["lab", "run", "--kernel", release, "--", "sleep", "1000"]);
  await seen(running, "qemu-system-x86");
  running.interrupt();
  running.interrupt();
  expect(await running.finished).toMatchObject({ code: 130 });
  await sleep(500);
  expect(await running.processes()).toEqual([]);
});

test("a reader that goes away ends the work quietly", async () => {
  const running = startKgraft(["lab", "run", "--kernel", release, "--", "sh", "-c", "yes; sleep 1000"]);
  running.child.stdout?.once("data", () => running.child.stdout?.destroy());
  expect(await running.finished).toMatchObject({ code: 0, stderr: "" });
  expect(await running.processes()).toEqual([]);
});
