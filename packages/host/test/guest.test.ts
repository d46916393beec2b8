/** kgr in a real kernel: load, transition, blocking, turning back, disable, unload. */
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { bootGuest, type CommandResult, type Guest, type GuestFile } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildKgr } from "../build/mod.ts";
import { asNobody, makeModules, testKernel } from "./guest.ts";
import { manifestOf } from "./manifest.ts";

const { signal } = new AbortController();
let guest: Guest;
let modules = "";

beforeAll(async () => {
  const kernel = await testKernel();
  modules = await makeModules(kernel, ["lp_demo", "lp_busy", "lp_block"]);
  const demo = await readFile(path.join(modules, "lp_demo.ko"));
  const manifest = manifestOf(kernel, "lp_demo", demo, ["vmlinux:cmdline_proc_show"]);
  const otherBuild = { ...manifest, kernel: { ...manifest.kernel, buildId: "0123456789abcdef" } };
  const files: readonly GuestFile[] = [
    { path: "/bin/kgr", source: await buildKgr({ signal }), mode: 0o755 },
    { path: "/p/lp_demo.ko", source: demo },
    { path: "/p/lp_demo.json", source: Buffer.from(JSON.stringify(manifest)) },
    { path: "/p/other/lp_demo.ko", source: demo },
    { path: "/p/other/lp_demo.json", source: Buffer.from(JSON.stringify(otherBuild)) },
    { path: "/p/cut/lp_demo.ko", source: demo.subarray(0, 5000) },
    { path: "/p/lp_busy.ko", source: path.join(modules, "lp_busy.ko") },
    { path: "/p/lp_block.ko", source: path.join(modules, "lp_block.ko") },
  ];
  guest = await bootGuest({ kernel, files, timeoutMs: 240_000 });
});

afterAll(async () => {
  await guest.shutdown();
  await rm(modules, { recursive: true });
});

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 60_000 });
}

describe("kgr with a live patch of the kernel's own code", () => {
  test("says nothing of an idle kernel but ready", async () => {
    expect(await run("kgr status")).toMatchObject({ status: 0, stdout: "ready\n", stderr: "" });
    expect(await run("kgr check; kgr patches; kgr blocking")).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  test.each([
    ["of another build of the kernel", "/p/other/lp_demo.ko", 4, "build id"],
    ["that is cut off", "/p/cut/lp_demo.ko", 65, "section headers end at"],
    ["that is no live patch", "/p/lp_busy.ko", 65, 'livepatch is "missing"'],
  ])("refuses a module %s and changes nothing", async (_, file, status, message) => {
    const result = await run(`kgr load ${file}`);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain(message);
    expect(await run("kgr patches; ls /run/kgr 2>/dev/null | grep lp_")).toMatchObject({ stdout: "" });
  });

  test("loads it, and its function is in force when ready is said", async () => {
    const loaded = await run("kgr load /p/lp_demo.ko && kgr status && cat /proc/cmdline");
    expect(loaded.status).toBe(0);
    expect(loaded.stdout).toMatch(/^lp_demo: ready after \d+\.\d s\nready\nthis has been live patched\n$/);
    expect(await run("kgr -v -v patches")).toMatchObject({
      stdout:
        "lp_demo\n    active: 1\n    RPM: (none)\n    CVE: CVE-2026-0001\n" +
        "    bug fixes and enhancements: (none)\n    functions: vmlinux:cmdline_proc_show\n",
    });
  });

  test("refuses it a second time", async () => {
    expect(await run("kgr load /p/lp_demo.ko")).toMatchObject({ status: 5, stdout: "" });
  });

  test("refuses a user who is not root, and still answers questions", async () => {
    expect(await run(asNobody("kgr disable lp_demo"))).toMatchObject({ status: 77 });
    expect(await run(asNobody("kgr status"))).toMatchObject({ status: 0, stdout: "ready\n" });
    expect(await run(asNobody("kgr patches"))).toMatchObject({ status: 0, stdout: "lp_demo\n" });
  });

  test("disables it: the original is in force, the module stays", async () => {
    const disabled = await run("kgr disable lp_demo --json");
    expect(JSON.parse(disabled.stdout)).toMatchObject({
      action: "disable",
      patch: "lp_demo",
      state: "ready",
    });
    expect((await run("cat /proc/cmdline")).stdout).toContain("console=");
    expect((await run("kgr -v patches")).stdout).toContain("active: 0");
    expect(await run("kgr enable lp_demo")).toMatchObject({ status: 2 });
  });

  test("unloads it, and nothing is left", async () => {
    expect(await run("kgr unload lp_demo")).toMatchObject({ status: 0, stdout: "lp_demo: unloaded\n" });
    const left =
      "kgr patches; ls /run/kgr | grep lp_; grep lp_ /proc/modules; cat /sys/kernel/tracing/enabled_functions";
    expect(await run(left)).toMatchObject({ stdout: "", stderr: "" });
    expect(await run("kgr unload lp_demo")).toMatchObject({ status: 66 });
  });
});

describe("kgr with a task that sleeps in the patched function", () => {
  test("names it at the time limit and leaves the transition going", async () => {
    await run("insmod /p/lp_busy.ko; cat /proc/lp_busy >/dev/null 2>&1 & sleep 1");
    const loaded = await run("kgr load /p/lp_block.ko --timeout 2");
    expect(loaded.status).toBe(124);
    expect(loaded.stderr).toMatch(/lp_block: in_progress, \d+ tasks? left\n/);
    expect(loaded.stderr).toMatch(/lp_block is still applying, 1 task left: \d+ cat \/proc\/lp_busy\n/);
    expect(await run("kgr status")).toMatchObject({ stdout: "in_progress\n" });
    expect(await run("kgr check")).toMatchObject({ status: 1 });
    expect((await run("kgr -v status")).stdout).toContain(
      "    patch: lp_block\n    direction: apply\n    tasks left: 1\n",
    );
  });

  test("shows it, its command line, and where it sleeps", async () => {
    expect((await run("kgr blocking")).stdout).toMatch(/^\d+\n$/);
    expect((await run("kgr -v blocking")).stdout).toMatch(/^\d+ cat \/proc\/lp_busy\n$/);
    expect((await run("kgr -v -v blocking")).stdout).toMatch(
      /^\d+ cat \/proc\/lp_busy\n {4}thread \d+ cat: sleeps in lp_busy_sleep for \d+ m?s, deaf to signals\n {8}free what .*\n {8}lp_busy_sleep\+/,
    );
  });

  test("shows a user who is not root that there is one, and claims no more", async () => {
    expect(await run(asNobody("kgr -v -v blocking"))).toMatchObject({ status: 77, stdout: "" });
    const status = await run(asNobody("kgr -v status"));
    expect(status.stdout).toBe(
      "in_progress\n    patch: lp_block\n    direction: apply\n    tasks left: (only root can see)\n",
    );
    expect((await run(asNobody("kgr wait --timeout 0"))).stderr).toContain(
      "only root can count the tasks left",
    );
  });

  test("lets no other patch in between", async () => {
    expect(await run("kgr load /p/lp_demo.ko")).toMatchObject({ status: 2, stdout: "" });
    expect(await run("kgr patches")).toMatchObject({ stdout: "lp_block\n" });
  });

  test("ends when interrupted, and says how things stand", async () => {
    // A shell starts what is in the background with SIGINT ignored: until kgr catches it, it goes unnoticed. Before
    // kgr is there, the process is a copy of the shell, which catches it too.
    const isKgr = "grep -q '^kgr$' /proc/$!/comm";
    const caught = `until ${isKgr} && grep -q '^SigCgt.*[2367abef]$' /proc/$!/status; do sleep 0.1; done`;
    const waited = await run(`kgr wait --json & ${caught}; kill -INT $!; wait $!`);
    expect(waited).toMatchObject({ status: 130, stdout: "" });
    expect(waited.stderr).toContain("interrupted; lp_block is still applying, 1 task left");
  });

  test("turns back, unloads, and loads again", async () => {
    expect(await run("kgr disable lp_block --timeout 30")).toMatchObject({ status: 0 });
    expect(await run("kgr unload lp_block")).toMatchObject({ status: 0 });
    expect(await run("kgr load /p/lp_block.ko --no-wait")).toMatchObject({ status: 0 });
    expect(await run("kgr status")).toMatchObject({ stdout: "in_progress\n" });
  });

  test("becomes ready when the task has left", async () => {
    const waited = await run("(sleep 2; echo 1 >/proc/lp_busy) & kgr wait --timeout 30");
    expect(waited).toMatchObject({ status: 0, stdout: "ready\n" });
    expect(waited.stderr).toContain("lp_block: in_progress, 1 task left\n");
    expect(await run("kgr unload lp_block && rmmod lp_busy && kgr patches")).toMatchObject({ status: 0 });
  });
});
