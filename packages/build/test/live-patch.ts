/**
 * Live patches of the stock kernel, built and then loaded in a guest of it: each takes effect, and is gone again when
 * it is reverted.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootGuest, type Guest } from "@kgraft/lab";
import type { KernelTree } from "@kgraft/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildEdits, type Edit, type Suite, testKernel } from "./kernel.ts";
import { settled } from "./settled.ts";

/** One-line changes whose effect can be read from the guest. */
const changes: Readonly<Record<string, readonly Edit[]>> = {
  in_vmlinux: [
    {
      path: "fs/proc/cmdline.c",
      find: "seq_putc(m, '\\n');",
      replace: 'seq_puts(m, " kgraft=patched\\n");',
    },
  ],
  in_module: [
    {
      path: "drivers/block/loop.c",
      find: 'return sysfs_emit(buf, "%s\\n", autoclear ? "1" : "0");',
      replace: 'return sysfs_emit(buf, "%s (patched)\\n", autoclear ? "1" : "0");',
    },
  ],
  // Alternatives, static branches, out-of-line parts and an exception table, in a function that every fork runs.
  in_large_function: [
    {
      path: "kernel/fork.c",
      find: "\tif ((clone_flags & (CLONE_NEWNS|CLONE_FS)) == (CLONE_NEWNS|CLONE_FS))",
      replace:
        '\tpr_info_once("kgraft: a task is made\\n");\n\tif ((clone_flags & (CLONE_NEWNS|CLONE_FS)) == (CLONE_NEWNS|CLONE_FS))',
    },
    {
      path: "fs/filesystems.c",
      find: "static int filesystems_proc_show(struct seq_file *m, void *v)\n{",
      replace:
        'static int filesystems_proc_show(struct seq_file *m, void *v)\n{\n\tWARN(m->size == 12345, "size %zu\\n", m->size);\n\tseq_puts(m, "patched\\n");',
    },
  ],
  // The second unit calls a function that the first one gets from the change.
  in_two_units: [
    {
      path: "fs/proc/version.c",
      find: "static int version_proc_show(struct seq_file *m, void *v)\n{",
      replace:
        'void kgraft_greet(struct seq_file *m);\nvoid kgraft_greet(struct seq_file *m)\n{\n\tseq_puts(m, "patched: ");\n}\n\nstatic int version_proc_show(struct seq_file *m, void *v)\n{\n\tkgraft_greet(m);',
    },
    {
      path: "fs/proc/loadavg.c",
      find: "get_avenrun(avnrun, FIXED_1/200, 0);",
      replace:
        "extern void kgraft_greet(struct seq_file *m);\n\n\tkgraft_greet(m);\n\tget_avenrun(avnrun, FIXED_1/200, 0);",
    },
  ],
  in_vmlinux_and_module: [
    { path: "fs/proc/cmdline.c", find: "seq_putc(m, '\\n');", replace: 'seq_puts(m, " both\\n");' },
    {
      path: "drivers/block/loop.c",
      find: 'return sysfs_emit(buf, "%s\\n", partscan ? "1" : "0");',
      replace: 'return sysfs_emit(buf, "%s (both)\\n", partscan ? "1" : "0");',
    },
  ],
};

export function describeLivePatches(suite: Suite): void {
  describe(`a live patch of the stock kernel of ${suite}`, () => {
    livePatches(suite);
  });
}

function livePatches(suite: Suite): void {
  let directory: string;
  let kernel: KernelTree;
  let guest: Guest;

  beforeAll(async () => {
    kernel = await testKernel(suite);
    directory = await mkdtemp(join(tmpdir(), "kgraft-test-"));
    const files = [
      { path: "/root/loop.ko", source: join(kernel.modulesDirectory, "kernel/drivers/block/loop.ko") },
    ];
    for (const [name, edits] of Object.entries(changes)) {
      const { modulePath } = await buildEdits(kernel, directory, name, edits);
      files.push({ path: `/root/${name}.ko`, source: modulePath });
    }
    guest = await bootGuest({ kernel, files, timeoutMs: 300_000 });
    await run("dd if=/dev/zero of=/root/image bs=1k count=64 2>/dev/null");
  });

  afterAll(async () => {
    await guest.shutdown();
    await rm(directory, { recursive: true });
  });

  async function run(command: string): Promise<string> {
    const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 60_000 });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    return stdout.trim();
  }

  const load = (name: string): Promise<string> => run(`insmod /root/${name}.ko; ${settled(name)}`);
  const revert = (name: string): Promise<string> =>
    run(`echo 0 >/sys/kernel/livepatch/${name}/enabled; ${settled(name)}; rmmod ${name}`);
  const insertLoop = (): Promise<string> =>
    run("insmod /root/loop.ko max_loop=1; losetup /dev/loop0 /root/image");
  const removeLoop = (): Promise<string> => run("losetup -d /dev/loop0; rmmod loop");
  const attribute = (name: string): Promise<string> => run(`cat /sys/block/loop0/loop/${name}`);

  test("changes a function of vmlinux, and reverts", async () => {
    expect(await run("cat /proc/cmdline")).not.toContain("kgraft=patched");
    await load("in_vmlinux");
    expect(await run("cat /proc/cmdline")).toMatch(/ kgraft=patched$/);
    await revert("in_vmlinux");
    expect(await run("cat /proc/cmdline")).not.toContain("kgraft=patched");
  });

  test("changes a function of a module that is loaded, and reverts", async () => {
    await insertLoop();
    expect(await attribute("autoclear")).toBe("0");
    await load("in_module");
    expect(await attribute("autoclear")).toBe("0 (patched)");
    await revert("in_module");
    expect(await attribute("autoclear")).toBe("0");
    await removeLoop();
  });

  test("changes a function of a module that is loaded after it, and reverts", async () => {
    await load("in_module");
    await insertLoop();
    expect(await attribute("autoclear")).toBe("0 (patched)");
    await revert("in_module");
    expect(await attribute("autoclear")).toBe("0");
    await removeLoop();
  });

  test("changes two units, one calling a new function of the other, and reverts", async () => {
    await load("in_two_units");
    expect(await run("cat /proc/version")).toMatch(/^patched: Linux/);
    expect(await run("cat /proc/loadavg")).toMatch(/^patched: \d/);
    await revert("in_two_units");
    expect(await run("cat /proc/version /proc/loadavg")).not.toContain("patched");
  });

  test("changes a large function that every fork runs, and reverts", async () => {
    await load("in_large_function");
    expect(await run("dmesg | grep -c 'kgraft: a task is made'")).toBe("1");
    expect(await run("cat /proc/filesystems")).toMatch(/^patched\n/);
    await revert("in_large_function");
    expect(await run("cat /proc/filesystems")).not.toContain("patched");
  });

  test("changes vmlinux and a module in one", async () => {
    await insertLoop();
    await load("in_vmlinux_and_module");
    expect(await run("cat /proc/cmdline")).toMatch(/ both$/);
    expect(await attribute("partscan")).toBe("0 (both)");
    await revert("in_vmlinux_and_module");
    expect(await attribute("partscan")).toBe("0");
    await removeLoop();
  });

  test("replaces the one before it when both are loaded one after the other", async () => {
    await load("in_vmlinux");
    await load("in_two_units");
    expect(await run("cat /proc/cmdline")).not.toContain("kgraft=patched");
    expect(await run("cat /proc/version")).toMatch(/^patched: /);
    expect(await run("ls /sys/kernel/livepatch")).toBe("in_two_units");
    await run("rmmod in_vmlinux");
    await revert("in_two_units");
  });

  test("leaves no function redirected, no warning and no oops behind", async () => {
    expect(await run("cat /sys/kernel/debug/tracing/enabled_functions")).toBe("");
    expect(guest.consoleText).not.toMatch(/WARNING|BUG|Oops|invalid|failed to/);
  });
}
