import { execFile, execFileSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { withLock } from "./cache.ts";
import { writeWhole } from "./write-whole.ts";

const directory = mkdtempSync(join(tmpdir(), "kgraft-cache-"));
afterAll(() => rmSync(directory, { recursive: true }));
const work = { onProgress: () => {}, signal: new AbortController().signal };

describe("withLock()", () => {
  test("one after the other", async () => {
    const path = join(directory, "a.lock");
    const events: string[] = [];
    const task = (name: string) => (): Promise<void> =>
      withLock(path, work, async () => {
        events.push(`${name} in`);
        await sleep(20);
        events.push(`${name} out`);
      });
    await Promise.all(["1", "2", "3"].map((name) => task(name)()));
    const pairs = [events.slice(0, 2), events.slice(2, 4), events.slice(4, 6)];
    for (const [first, second] of pairs) expect(second).toBe(first!.replace("in", "out"));
    expect(readdirSync(directory)).toEqual([]);
  });

  test("the lock of a process that is gone counts for nothing", async () => {
    const path = join(directory, "b.lock");
    const pid = execFileSync("sh", ["-c", "echo $$"]).toString().trim();
    writeFileSync(path, `${pid} 123456 abcdef\n`);
    expect(await withLock(path, work, async () => "done")).toBe("done");
    expect(readdirSync(directory)).toEqual([]);
  });

  test("waiting ends with the signal", async () => {
    const path = join(directory, "c.lock");
    await withLock(path, work, async () => {
      const stop = AbortSignal.timeout(50);
      await expect(withLock(path, { ...work, signal: stop }, async () => 1)).rejects.toMatchObject({
        name: "AbortError",
      });
    });
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("writeWhole()", () => {
  test("makes the directories above, and gives up where there can be none", async () => {
    const path = join(directory, "a/b/c");
    await writeWhole(path, "deep");
    expect(readFileSync(path, "utf8")).toBe("deep");
    await expect(writeWhole("/proc/nowhere/file", "x")).rejects.toThrow("ENOENT");
    await expect(writeWhole(join(path, "file"), "x")).rejects.toThrow(/ENOTDIR|EEXIST/);
  });

  test("writes to a pipe and never replaces it", async () => {
    const path = join(directory, "pipe");
    execFileSync("mkfifo", [path]);
    const reader = execFile("cat", [path]);
    const read = text(reader.stdout!); // a child has one
    await writeWhole(path, "through");
    expect(await read).toBe("through");
    expect(statSync(path).isFIFO()).toBe(true);
    rmSync(path);
  });

  test("tells that a device is full, and leaves it what it is", async () => {
    // By another way to it, so that a mistake here costs this link only.
    const path = join(directory, "full");
    symlinkSync("/dev/full", path);
    await expect(writeWhole(path, "x")).rejects.toMatchObject({ name: "NoSpace" });
    expect(statSync(path).isCharacterDevice()).toBe(true);
    rmSync(path);
  });

  test("replaces, and leaves nothing beside it", async () => {
    const path = join(directory, "sub/file");
    await writeWhole(path, "one");
    await writeWhole(path, "two");
    expect(readFileSync(path, "utf8")).toBe("two");
    expect(readdirSync(join(directory, "sub"))).toEqual(["file"]);
  });
});
