import { describe, expect, test } from "vitest";
import { isThere, type Machine, makeMachine } from "../test/machine.ts";
import { whileLocked } from "./lock.ts";

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
const taken = { [`${folder}/20.700/.keep`]: "" };

describe("whileLocked()", () => {
  test("has its claim while it does something, and not after", async () => {
    const host = machine();
    const done = await whileLocked(host.system, 0, async () => {
      await host.system.sleep(1);
      return isThere(host, `${folder}/10.500`);
    });
    expect([done, isThere(host, `${folder}/10.500`)]).toEqual([true, false]);
  });

  test("gives its claim back when that fails", async () => {
    const host = machine();
    await expect(whileLocked(host.system, 0, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(isThere(host, `${folder}/10.500`)).toBe(false);
  });

  test("waits for another, with a bound, and names it", async () => {
    const host = machine(taken);
    await expect(whileLocked(host.system, 1000, () => Promise.resolve())).rejects.toMatchObject({
      name: "RefusedError",
      message: "cannot change live patches: process 20 (kgr load a.ko) is changing them",
    });
    expect(host.system.nowMs()).toBeGreaterThanOrEqual(1000);
    expect(isThere(host, `${folder}/10.500`)).toBe(false);
  });

  test("goes on as soon as the other is done", async () => {
    const host = machine(taken);
    host.onSleep = (count) => void (count === 3 && host.remove(`${folder}/20.700`));
    expect(await whileLocked(host.system, 10_000, () => Promise.resolve("done"))).toBe("done");
  });

  test("ends when interrupted", async () => {
    const host = machine(taken);
    host.onSleep = () => host.interrupt();
    await expect(whileLocked(host.system, 10_000, () => Promise.resolve())).rejects.toMatchObject({
      name: "InterruptedError",
    });
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ["has ended", { [`${folder}/21.700/x`]: "" }],
    ["has not been waited for", { ...taken, "/proc/20/stat": stat(20, 700, "Z") }],
    ["began at another time, with its number", { [`${folder}/20.699/x`]: "" }],
    ["is none", { [`${folder}/nonsense/x`]: "" }],
  ])("does not wait for a process that %s", async (_, files) => {
    expect(await whileLocked(machine(files).system, 0, () => Promise.resolve("done"))).toBe("done");
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ["/run/kgr is no directory", { "/run/kgr": "" }],
    ["/proc does not tell who it is", { "/proc/self/stat": "nonsense" }],
  ])("goes on without a lock where %s", async (_, files) => {
    expect(await whileLocked(machine(files).system, 0, () => Promise.resolve("done"))).toBe("done");
  });
});
