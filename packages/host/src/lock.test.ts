import { describe, expect, test } from "vitest";
import { isThere, type Machine, makeMachine } from "../test/machine.ts";
import { type Locking, whileLocked } from "./lock.ts";
import type { System } from "./system.ts";

const folder = "/run/kgr/lock";

/** `stat` of a process with a name that has brackets in it. */
function stat(pid: number, began: number, state = "S"): string {
  return `${pid} (k) g (r) ${state} ${"0 ".repeat(18)}${began} 0 0\n`;
}
function machine(files: Readonly<Record<string, string>> = {}): Machine {
  return makeMachine({
    "/proc/self/stat": stat(10, 500),
    "/proc/20/stat": stat(20, 700),
    "/proc/20/cmdline": "kgr\0load\0a.ko\0",
    "/run/.keep": "",
    ...files,
  });
}
function locking({ system }: Machine, busyTimeoutMs = 10_000, json = false): Locking {
  return { system, policy: { busyTimeoutMs }, invocation: { json }, dialect: { program: "kgr" } };
}
const taken = { [`${folder}/20.700/.keep`]: "" };

describe("whileLocked()", () => {
  test("has its claim while it does something, and not after", async () => {
    const host = machine();
    const done = await whileLocked(locking(host, 0), async () => {
      await host.system.sleep(1);
      return isThere(host, `${folder}/10.500`);
    });
    expect([done, isThere(host, `${folder}/10.500`)]).toEqual([true, false]);
  });

  test("gives its claim back when that fails", async () => {
    const host = machine();
    await expect(whileLocked(locking(host, 0), () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(isThere(host, `${folder}/10.500`)).toBe(false);
  });

  test("waits for another, with a bound, and names it", async () => {
    const host = machine(taken);
    await expect(whileLocked(locking(host, 1000), () => Promise.resolve())).rejects.toMatchObject({
      name: "RefusedError",
      message: "cannot change live patches: process 20 (kgr load a.ko) is changing them",
    });
    expect(host.system.nowMs()).toBeGreaterThanOrEqual(1000);
    expect(isThere(host, `${folder}/10.500`)).toBe(false);
  });

  test("goes on as soon as the other is done", async () => {
    const host = machine(taken);
    host.onSleep = (count) => void (count === 3 && host.remove(`${folder}/20.700`));
    expect(await whileLocked(locking(host), () => Promise.resolve("done"))).toBe("done");
  });

  test.each<[string, number | null, boolean, string]>([
    [
      "a line that is written again, on a terminal",
      80,
      false,
      "\r\u001b[Kkgr: waits for process 20 (kgr load a.ko), 1 s",
    ],
    ["what fits on a narrow one", 20, false, "\r\u001b[Kkgr, 1 s"],
    ["one line elsewhere", null, false, "kgr: waits for process 20 (kgr load a.ko)\n"],
    ["nothing beside JSON", 80, true, ""],
  ])("after a second tells what it waits for: %s", async (_, columns, json, said) => {
    const host = machine(taken);
    host.columns = columns;
    let err = "";
    const system: System = { ...host.system, print: (_stream, text) => void (err += text) };
    host.onSleep = () =>
      void (
        host.system.nowMs() > 1500 &&
        isThere(host, `${folder}/20.700`) &&
        host.remove(`${folder}/20.700`)
      );
    await whileLocked({ ...locking(host, 10_000, json), system }, () => Promise.resolve());
    const lines = err.split(/(?=\r)|(?<=\n)/);
    expect(lines[0] ?? "").toBe(said);
    expect(lines.slice(1).filter((line) => line !== said)).toEqual(
      columns === null || json ? [] : ["\r\u001b[K"],
    );
  });

  test("tells nothing of a wait that is over soon", async () => {
    const host = machine(taken);
    host.onSleep = (count) => void (count === 3 && host.remove(`${folder}/20.700`));
    let err = "";
    const system: System = { ...host.system, print: (_, text) => void (err += text) };
    await whileLocked({ ...locking(host), system }, () => Promise.resolve());
    expect(err).toBe("");
  });

  test("ends when interrupted", async () => {
    const host = machine(taken);
    host.onSleep = () => host.interrupt();
    await expect(whileLocked(locking(host), () => Promise.resolve())).rejects.toMatchObject({
      name: "InterruptedError",
    });
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ["has ended", { [`${folder}/21.700/x`]: "" }],
    ["has not been waited for", { ...taken, "/proc/20/stat": stat(20, 700, "Z") }],
    ["began at another time, with its number", { [`${folder}/20.699/x`]: "" }],
    ["is none", { [`${folder}/nonsense/x`]: "" }],
  ])("does not wait for a process that %s", async (_, files) => {
    expect(await whileLocked(locking(machine(files), 0), () => Promise.resolve("done"))).toBe("done");
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ["/run/kgr is no directory", { "/run/kgr": "" }],
    ["/proc does not tell who it is", { "/proc/self/stat": "nonsense" }],
  ])("goes on without a lock where %s", async (_, files) => {
    expect(await whileLocked(locking(machine(files), 0), () => Promise.resolve("done"))).toBe("done");
  });
});
