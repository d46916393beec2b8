/**
 * The kernel's own tests of live patching, tools/testing/selftests/livepatch of the same source, run in a guest of the
 * kernel: first as they are, so that we know what this kernel does; then their patches, driven through kgr. Their
 * modules lie in lib/livepatch until Linux 6.9, since then beside the tests.
 */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { KernelTree } from "@kgraft/kernel";
import { bootGuest, type GuestFile, makeDebianRoot, openRootDisk, type RootDisk } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sourceFolders } from "../../kernel/test/source-files.ts";
import { kgrFiles, makeIn, type Suite, testKernel } from "./guest.ts";
import { type Scene, sceneIn } from "./scene.ts";

const place = "tools/testing/selftests/livepatch";
const home = "/selftests";

export function describeSelftests(suite: Suite): void {
  describe(`the kernel's own tests of live patching, ${suite}`, () => {
    let scene: Scene;
    let disk: RootDisk;
    beforeAll(async () => {
      const kernel = await testKernel(suite);
      disk = await openRootDisk(await makeDebianRoot({ packages: ["kmod", "procps"] }));
      const files = [...(await kgrFiles()), ...(await filesOf(kernel))];
      // One processor: a transition is over as soon as it is begun, where nobody blocks it.
      scene = sceneIn(
        await bootGuest({ kernel, files, root: { disk, init: "none" }, cpus: 1, timeoutMs: 600_000 }),
      );
      // They log much, and the emulated console is slow. Newer ones ask for what would compile their modules.
      await scene.says(
        `dmesg --console-level emerg; depmod; mkdir -p /lib/modules/$(uname -r)/build; mount -t tmpfs none /tmp; cd ${home} && chmod +x test-*`,
      );
    });
    afterAll(async () => {
      await scene?.guest.shutdown();
      disk?.[Symbol.dispose]();
    });
    testsOfTheKernel(() => scene);
    testsByKgr(() => scene);
    testOfBlocking(() => scene);
    if (suite !== "bookworm") {
      testOfSystemCall(() => scene); // since Linux 6.10
    }
  });
}

/** The tests, their modules both where modprobe looks and beside the tests, and what they run. */
async function filesOf(kernel: KernelTree): Promise<readonly GuestFile[]> {
  const tests = path.join(await sourceFolders(kernel, [place]), place);
  const folder = await mkdtemp(path.join(tmpdir(), "kgr-selftests-"));
  try {
    const files: GuestFile[] = [];
    for (const name of (await readdir(tests)).filter((one) => one.endsWith(".sh"))) {
      files.push({ path: `${home}/${name}`, source: await readFile(path.join(tests, name)), mode: 0o755 });
    }
    for (const name of (await readdir(tests)).filter((one) => one.endsWith(".c"))) {
      const program = path.join(folder, name.replace(/\.c$/, ""));
      await promisify(execFile)("gcc", ["-static", "-o", program, path.join(tests, name)]);
      files.push({ path: `${home}/${path.basename(program)}`, source: await readFile(program), mode: 0o755 });
    }
    const beside = (await readdir(tests)).includes("test_modules");
    const sources = beside
      ? path.join(tests, "test_modules")
      : path.join(kernel.sourceDirectory, "lib/livepatch");
    await cp(sources, folder, { recursive: true });
    const modules = (await readdir(sources)).filter((one) => one.endsWith(".c"));
    await writeFile(
      path.join(folder, "Makefile"),
      modules.map((one) => `obj-m += ${one.replace(/c$/, "o")}\n`).join(""),
    );
    await makeIn(kernel, folder);
    for (const one of modules) {
      const name = one.replace(/c$/, "ko");
      const source = await readFile(path.join(folder, name));
      files.push({ path: `/lib/modules/${kernel.release}/test/${name}`, source });
      files.push({ path: `${home}/test_modules/${name}`, source });
    }
    return files;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function testsOfTheKernel(scene: () => Scene): void {
  test("pass on this kernel", async () => {
    const { says } = scene();
    const scripts = (await says(`cd ${home} && ls test-*.sh`)).split("\n");
    expect(scripts.length).toBeGreaterThanOrEqual(6);
    for (const script of scripts) {
      const said = (await says(`cd ${home} && ./${script}`)).split("\n");
      expect(said.filter((line) => !/^TEST: .+ \.\.\. ok$/.test(line))).toEqual([]);
    }
    expect(await says("kgr patches; kgr status")).toBe("ready");
  });
}

/** Path of one of the tests' modules. */
function module(name: string): string {
  return `${home}/test_modules/${name}.ko`;
}

function testsByKgr(scene: () => Scene): void {
  test("by kgr: one function, and a cumulative patch that takes its place", async () => {
    const { says } = scene();
    await says(`kgr load ${module("test_klp_livepatch")}`);
    expect(await says("cat /proc/cmdline")).toBe("test_klp_livepatch: this has been live patched");
    await says(`insmod ${module("test_klp_atomic_replace")} replace=1; kgr wait`);
    expect(await says("kgr -v patches | grep -v -e RPM -e CVE -e bug")).toBe(
      "test_klp_atomic_replace\n    active: 1\ntest_klp_livepatch\n    active: 0",
    );
    expect(await says("kgr unload test_klp_livepatch; cat /proc/meminfo")).toBe(
      "test_klp_livepatch: unloaded\ntest_klp_atomic_replace: this has been live patched",
    );
    await says("kgr disable test_klp_atomic_replace; kgr unload test_klp_atomic_replace");
    expect(await says("kgr patches; head -n 1 /proc/meminfo")).toContain("MemTotal");
  });

  test("by kgr: callbacks run once each, in their order; a module whose callback fails stays out", async () => {
    const { says, run } = scene();
    await says(`dmesg --clear; kgr load ${module("test_klp_callbacks_demo")}`);
    expect(await says("modprobe test_klp_callbacks_mod; rmmod test_klp_callbacks_mod; kgr status")).toBe(
      "ready",
    );
    await says("echo -19 >/sys/module/test_klp_callbacks_demo/parameters/pre_patch_ret");
    expect((await run("modprobe test_klp_callbacks_mod")).stderr).toContain("No such device");
    await says("kgr unload test_klp_callbacks_demo");
    const called = await says(
      "dmesg | sed -n 's/.*test_klp_callbacks_demo: \\(.*_callback\\): \\([a-z_]*\\).*/\\1 \\2/p'",
    );
    expect(called.split("\n")).toEqual([
      "pre_patch_callback vmlinux",
      "post_patch_callback vmlinux",
      "pre_patch_callback test_klp_callbacks_mod",
      "post_patch_callback test_klp_callbacks_mod",
      "pre_unpatch_callback test_klp_callbacks_mod",
      "post_unpatch_callback test_klp_callbacks_mod",
      "pre_patch_callback test_klp_callbacks_mod",
      "pre_unpatch_callback vmlinux",
      "post_unpatch_callback vmlinux",
    ]);
  });

  test("by kgr: two patches with callbacks, taken back in the other order", async () => {
    const { says } = scene();
    const both = [module("test_klp_callbacks_demo"), module("test_klp_callbacks_demo2")] as const;
    await says(`kgr load ${both[0]}; dmesg --clear; kgr load ${both[1]}`);
    expect(await says("kgr -v patches | grep -v -e RPM -e CVE -e bug")).toBe(
      "test_klp_callbacks_demo\n    active: 1\ntest_klp_callbacks_demo2\n    active: 1",
    );
    await says("kgr unload test_klp_callbacks_demo2; kgr unload test_klp_callbacks_demo");
    const called = await says(
      "dmesg | sed -n 's/.*test_klp_callbacks_\\(demo2*\\): \\(.*_callback\\): .*/\\1 \\2/p'",
    );
    expect(called.split("\n")).toEqual([
      "demo2 pre_patch_callback",
      "demo2 post_patch_callback",
      "demo2 pre_unpatch_callback",
      "demo2 post_unpatch_callback",
      "demo pre_unpatch_callback",
      "demo post_unpatch_callback",
    ]);
  });

  test("by kgr: states; what is not compatible is refused, with the kernel's own reason", async () => {
    const { says, run } = scene();
    await says(`dmesg --clear; kgr load ${module("test_klp_state")}; kgr load ${module("test_klp_state2")}`);
    expect(await says("kgr -v patches | grep active")).toBe("    active: 0\n    active: 1");
    await says("kgr unload test_klp_state");
    const refused = await run(`kgr load ${module("test_klp_state")}`);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("is not compatible with the already installed livepatches");
    // The state goes on to the next of the same version, and back.
    const [second, third] = ["test_klp_state2", "test_klp_state3"] as const;
    for (const [next, before] of [
      [third, second],
      [second, third],
    ] as const) {
      await says(`kgr load ${module(next)}`);
      expect(await says(`kgr unload ${before}; kgr patches`)).toBe(`${before}: unloaded\n${next}`);
    }
    expect(await says(`kgr unload ${second}; kgr patches`)).toBe(`${second}: unloaded`);
    expect(await says("dmesg | grep -c 'taking over the console_loglevel change'")).toBe("3");
  });
}

function testOfBlocking(scene: () => Scene): void {
  test("by kgr: a kernel thread at work in the function blocks, is named, is left alone, and lets go", async () => {
    const { says, run } = scene();
    await says("modprobe test_klp_callbacks_busy block_transition=Y");
    const loaded = await run(`kgr load ${module("test_klp_callbacks_demo")} --timeout 3`);
    expect(loaded.status).toBe(124);
    const blocking = await says("kgr -v -v blocking");
    expect(blocking).toMatch(/^\d+ \[kworker\//);
    expect(blocking).toContain("kernel thread");
    expect(blocking).toContain("busymod_work_func");
    expect(await says("kgr poke")).toContain("cannot be woken: kernel thread");
    // Turned back, and tried again.
    await says("kgr disable test_klp_callbacks_demo; kgr unload test_klp_callbacks_demo");
    await says(`kgr load ${module("test_klp_callbacks_demo")} --no-wait`);
    expect(await says("kgr status")).toBe("in_progress");
    await says(
      "echo N >/sys/module/test_klp_callbacks_busy/parameters/block_transition; kgr wait --timeout 60",
    );
    expect(await says("kgr status; kgr unload test_klp_callbacks_demo; rmmod test_klp_callbacks_busy")).toBe(
      "ready\ntest_klp_callbacks_demo: unloaded",
    );
  });
}

function testOfSystemCall(scene: () => Scene): void {
  test("by kgr: a system call that is called all the time", async () => {
    const { says, begin } = scene();
    const calls = await begin(`${home}/test_klp-call_getpid & echo $! >/tmp/caller; echo ready; wait`);
    await says(`kgr load ${module("test_klp_syscall")}`);
    expect(await says("kgr -v -v patches | grep functions")).toBe("    functions: vmlinux:__x64_sys_getpid");
    expect(await says("kgr unload test_klp_syscall; kgr status; kill -0 $(cat /tmp/caller)")).toBe(
      "test_klp_syscall: unloaded\nready",
    );
    await calls.end();
  });
}
