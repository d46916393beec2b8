/**
 * What a machine does at boot, told by its kernel's command line and by its policy: a real kernel that boots again and
 * again from one disk, and runs the command of the unit.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { bootGuest, type Guest, openRootDisk, type RootDisk } from "@kgraft/lab";
import type { KernelTree } from "@kgraft/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testKernel } from "./guest.ts";
import { makeSmallMachine, versionIn } from "./small-machine.ts";

let kernel: KernelTree;
let folder = "";
let disk: RootDisk;

beforeAll(async () => {
  kernel = await testKernel();
  folder = await mkdtemp(path.join(tmpdir(), "kgr-boot-"));
  disk = await openRootDisk(await makeSmallMachine(kernel, folder));
  await using guest = await boot();
  await expectOk(guest, "kgr install /root/p/lp_v1.ko; kgr boot && kgr boot --confirm; sync");
});
afterAll(async () => {
  disk?.[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});

async function boot(...kernelParameters: readonly string[]): Promise<Guest> {
  const root = { disk, init: "none" } as const;
  return bootGuest({ kernel, root, kernelParameters, memoryMib: 256, timeoutMs: 550_000 });
}

async function expectOk(guest: Guest, command: string): Promise<string> {
  const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 90_000 });
  expect(status, `${command}: ${stdout}${stderr}`).toBe(0);
  return stdout;
}

interface Booted {
  readonly status: number;
  readonly said: string;
  /** Which version runs then. */
  readonly version: string;
  /** What `kgr status -v` says then. */
  readonly state: string;
}

/** The command of the unit, and what has become of the machine. */
async function kgrBoot(guest: Guest, command = "kgr boot"): Promise<Booted> {
  const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 90_000 });
  return {
    status,
    said: stdout + stderr,
    version: versionIn(await expectOk(guest, "cat /proc/version")),
    state: await expectOk(guest, "kgr status -v"),
  };
}

const configure = (line: string): string => `echo ${line} >/etc/kgr/kgr.conf; sync`;

describe("the kernel command line", () => {
  test("without a word about it: the installed patch is loaded", async () => {
    await using guest = await boot();
    expect(await kgrBoot(guest, "kgr boot && kgr boot --confirm")).toEqual({
      status: 0,
      said: expect.stringMatching(/^lp_v1: ready after .* s\nlp_v1: counts as good\n/) as string,
      version: "1",
      state: "ready\n    at boot: lp_v1\n",
    });
  });

  test("kgr=off: nothing is loaded, also by the initramfs", async () => {
    await using guest = await boot("kgr=off");
    const off = {
      status: 0,
      said: "nothing is loaded: kgr=off stands on the kernel command line\n",
      version: "original",
      state: "ready\n    at boot: (nothing: kgr=off stands on the kernel command line)\n",
    };
    expect(await kgrBoot(guest, "kgr boot --early")).toEqual(off);
    expect(await kgrBoot(guest)).toEqual(off);
    // An administrator who is there may.
    expect(await kgrBoot(guest, "kgr load /root/p/lp_v1.ko && kgr boot --confirm")).toMatchObject({
      version: "1",
    });
  });

  test("kgr=off and then kgr=on: the last word counts", async () => {
    await using guest = await boot("kgr=off", "kgr=on");
    expect(await kgrBoot(guest, "kgr boot --early && kgr boot --confirm")).toMatchObject({
      status: 0,
      version: "1",
    });
  });
});

describe("LIVEPATCH_KERNEL", () => {
  test("never: nothing is loaded", async () => {
    await using guest = await boot();
    await expectOk(guest, configure("LIVEPATCH_KERNEL=never"));
    expect(await kgrBoot(guest)).toEqual({
      status: 0,
      said: "nothing is loaded: LIVEPATCH_KERNEL=never stands in /etc/kgr/kgr.conf\n",
      version: "original",
      state: "ready\n    at boot: (nothing: LIVEPATCH_KERNEL=never)\n",
    });
  });

  test("auto: loaded, and the power goes before the machine has stayed up", async () => {
    await using guest = await boot();
    await expectOk(guest, configure("LIVEPATCH_KERNEL=auto"));
    expect(await kgrBoot(guest)).toMatchObject({
      status: 0,
      version: "1",
      state: expect.stringContaining("    crash guard: armed for lp_v1 since ") as string,
    });
    await guest.kill();
  });

  test("auto: then not again by itself, and the state says why", async () => {
    await using guest = await boot();
    expect(await kgrBoot(guest)).toEqual({
      status: 6,
      said: expect.stringContaining("kgr: did not load lp_v1: the machine went down during") as string,
      version: "original",
      state: expect.stringMatching(
        /^ready\n {4}at boot: \(nothing: see below\)\n {4}not at boot: lp_v1, the machine went down/,
      ) as string,
    });
    expect(await expectOk(guest, "kgr metrics")).toContain('\nkgr_boot_patch_held{patch="lp_v1"} 1\n');
  });

  test("always: loaded even then", async () => {
    await using guest = await boot();
    await expectOk(guest, configure("LIVEPATCH_KERNEL=always"));
    expect(await kgrBoot(guest)).toMatchObject({
      status: 0,
      said: expect.stringMatching(/^lp_v1: ready after/) as string,
      version: "1",
    });
  });
});

test("kgr=off goes before LIVEPATCH_KERNEL=always", async () => {
  await using guest = await boot("kgr=off");
  await expectOk(guest, configure("LIVEPATCH_KERNEL=always"));
  expect(await kgrBoot(guest)).toMatchObject({
    status: 0,
    version: "original",
    state: "ready\n    at boot: (nothing: kgr=off stands on the kernel command line)\n",
  });
});
