/**
 * Packages on a machine: a whole Debian with the stock kernel, run from a disk. What dpkg and rpm do to the running
 * kernel, and what they leave for the next boot.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bootGuest,
  type CommandResult,
  type Guest,
  makeDebianRoot,
  openRootDisk,
  type RootDisk,
} from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePackage, makePtf } from "../src/mod.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  initialPatch,
  maintainer,
  signal,
  testKernel,
} from "./built.ts";
import { probe } from "./debian-machine.ts";

const release = "6.1.0-55-cloud-amd64";
const patchName = `kgraft-patch-${release}`;
const sysfs = "/sys/kernel/livepatch";
let home: string;
let disk: RootDisk;
let guest: Guest;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kgraft-guest-packages-"));
  const built = join(home, "built");
  const directory = join(home, "packages");
  const modules = [
    (await initialPatch(built)).modulePath,
    (await cmdlinePatch(built, "kgraft_patch_2_1", "second", [{ id: "CVE-2026-0002", title: "" }]))
      .modulePath,
    (await cmdlinePatch(built, "kgraft_patch_3_1", "third", [{ id: "CVE-2026-0003", title: "" }])).modulePath,
  ];
  for (const module of modules)
    await makePackage({ directory, formats: ["deb", "rpm"], maintainer, dateSeconds, module }, { signal });
  const ofPtf = (await cmdlinePatch(built, "kgraft_patch_2_1_ptf1234", "ptf")).modulePath;
  const ptf = { number: 1234, title: "cmdline: say ptf", livePatches: [ofPtf], others: [] };
  await makePtf({ directory, formats: ["deb", "rpm"], maintainer, dateSeconds, ...ptf }, { signal });
  const { packageVersion } = await testKernel();
  const others = [{ name: `linux-image-${release}`, version: packageVersion }];
  const ofKernel = { number: 1235, title: "scheduler: fix a hang", livePatches: [], others };
  await makePtf({ directory, formats: ["deb"], maintainer, dateSeconds, ...ofKernel }, { signal });
  await hostToolPackages(directory);
  disk = await openRootDisk(
    await makeDebianRoot({ packages: [`linux-image-${release}`, "kmod", "rpm", "wget"] }),
  );
  guest = await boot();
});

afterAll(async () => {
  await guest?.kill();
  disk?.[Symbol.dispose]();
  await rm(home, { recursive: true });
});

async function boot(): Promise<Guest> {
  const kernel = await testKernel();
  // An initramfs takes minutes to make here; that one of ours loads live patches is tried in packages/host/test.
  const path = "/etc/initramfs-tools/update-initramfs.conf";
  const files = [{ path, source: Buffer.from("update_initramfs=no\nbackup_initramfs=no\n") }];
  const options = {
    files,
    modules: ["overlay"],
    share: join(home, "packages"),
    memoryMib: 1024,
    timeoutMs: 900_000,
  };
  return bootGuest({ kernel, root: { disk, init: "none" }, ...options });
}

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 300_000 });
}

function deb(version: string): string {
  return `/share/${patchName}_${version}_amd64.deb`;
}

function rpm(version: string): string {
  return `/share/kgraft-patch-6_1_0-55-cloud-amd64-${version}.x86_64.rpm`;
}

/** What the probe's function says now. */
async function spoken(): Promise<string> {
  return (await run("cat /proc/cmdline")).stdout.replace(/^.*console=.*$/m, "original").trim();
}

describe("dpkg", () => {
  test("in a chroot of the same kernel: files and nothing else", async () => {
    // Debian's smallest root has no mount; the guest's own busybox has.
    const script = `set -e; PATH=$PATH:/run/lab/bin
      mkdir /tmp/over; mount -t tmpfs none /tmp/over; mkdir /tmp/over/upper /tmp/over/work /tmp/over/root
      mount -t overlay -o lowerdir=/,upperdir=/tmp/over/upper,workdir=/tmp/over/work none /tmp/over/root
      for place in proc sys dev share; do mount -o bind /$place /tmp/over/root/$place; done
      chroot /tmp/over/root dpkg -i /share/kgr_*.deb ${deb("2-1")}
      ls /tmp/over/root/usr/lib/modules/${release}/updates/kgraft ${sysfs}`;
    const { status, stdout, stderr } = await run(script);
    expect(stderr).toBe(
      "kgr: kgraft_patch_2_1 is installed and not loaded: this is an image, a chroot or a container\n",
    );
    expect(stdout).toMatch(/kgraft:\nkgraft_patch_2_1\.json\nkgraft_patch_2_1\.ko\n$/);
    expect(stdout).toMatch(/\/sys\/kernel\/livepatch:\n\n/);
    expect(status).toBe(0);
  });

  test("in a container of the same kernel: files and nothing else", async () => {
    const inside = (command: string): string => `unshare --pid --fork --mount-proc ${command}`;
    const { status, stdout } = await run(inside(`dpkg -i /share/kgr_*.deb ${deb("3-1")}`));
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("Setting up kgraft-patch-6.1.0-55-cloud-amd64 (3-1) ...") as unknown,
    });
    expect((await run(`ls ${sysfs}`)).stdout).toBe("");
    expect(await run(inside(`dpkg --purge ${patchName} kgr`))).toMatchObject({ status: 0 });
  });

  test("the tool and the initial live patch: in force, and shown as what it is", async () => {
    const installed = await run(`dpkg -i /share/kgr_*.deb ${deb("1-1")}`);
    expect(installed).toMatchObject({ status: 0 });
    expect((await run("kgr -v patches")).stdout).toBe(
      `kgraft_patch_1_1
    active: 1
    RPM: ${patchName}-1-1.amd64
    CVE: (none - this is an initial kGraft patch)
    bug fixes and enhancements: (none)
`,
    );
  });

  test("an update takes its place: no moment with neither, and nothing of the old one is left", async () => {
    const job = guest.start(probe);
    const second = await run(`dpkg -i ${deb("2-1")}`);
    expect(second).toMatchObject({ status: 0 });
    await run("sleep 2");
    const third = await run(`dpkg -i ${deb("3-1")}`);
    expect(third).toMatchObject({ status: 0 });
    await run("sleep 2");
    const { stdout } = await job.stop();
    // Each new process has the state of the shell that starts it, which moves once.
    expect(stdout.trim().split("\n")).toEqual(["original", "second", "third"]);
    expect((await run(`ls ${sysfs}; grep -o '^kgraft_patch_[0-9_]*' /proc/modules`)).stdout).toBe(
      "kgraft_patch_3_1\nkgraft_patch_3_1\n",
    );
    expect((await run("kgr -v patches")).stdout).toContain(
      `RPM: ${patchName}-3-1.amd64\n    CVE: CVE-2026-0003\n`,
    );
  });

  test("a moment with neither would be heard: the shortest that there can be is two transitions long", async () => {
    const job = guest.start(probe);
    await run("sleep 1");
    const off = "echo 0 >kgraft_patch_3_1/enabled; while [ -e kgraft_patch_3_1 ]; do :; done";
    const on = `insmod /usr/lib/modules/${release}/updates/kgraft/kgraft_patch_3_1.ko`;
    await run(`cd ${sysfs}; ${off}; until rmmod kgraft_patch_3_1 2>/dev/null; do :; done; ${on}; kgr wait`);
    await run("sleep 2");
    expect((await job.stop()).stdout.trim().split("\n")).toEqual(["third", "original", "third"]);
  });

  test("the version before, too", async () => {
    expect(await run(`dpkg -i ${deb("2-1")}`)).toMatchObject({ status: 0 });
    expect(await spoken()).toBe("second");
  });

  test("a program temporary fix over it, the next live patch over that, and no restart", async () => {
    expect(await run(`dpkg -i /share/ptf-1234_1-1_amd64.deb ${deb("2-1.ptf1234")}`)).toMatchObject({
      status: 0,
    });
    expect(await spoken()).toBe("ptf");
    // A member does not go without its master.
    expect(await run("dpkg --purge ptf-1234")).toMatchObject({ status: 1 });
    expect(await run(`dpkg -i ${deb("3-1")} && dpkg --audit`)).toMatchObject({ status: 0 });
    expect(await spoken()).toBe("third");
    // The regular one has no need of the master.
    expect(await run("dpkg --purge ptf-1234")).toMatchObject({ status: 0 });
    expect(await run(`dpkg -i ${deb("2-1")}`)).toMatchObject({ status: 0 });
    expect(await spoken()).toBe("second");
  });

  test("one that brings another kernel says what that means before it is unpacked", async () => {
    const { stdout, stderr, status } = await run("dpkg -i /share/ptf-1235_1-1_all.deb 2>&1");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      /kgr: WARNING: ptf-1235 brings another kernel \(linux-image-\S+\): .* no live patch applies[^]*\nUnpacking ptf-1235/,
    );
    expect(await run("dpkg --purge ptf-1235")).toMatchObject({ status: 0 });
  });

  test("apt keeps the live patch of the kernel that runs, as it keeps the kernel", async () => {
    const mark = `apt-mark auto ${patchName} linux-image-${release}`;
    const simulate = "apt-get --simulate autoremove";
    const { stdout } = await run(`${mark} && ${simulate}`);
    expect(stdout).not.toContain(`Remv ${patchName}`);
    // And it is that line of kgr's which does it.
    const without = await run(`mv /etc/apt/apt.conf.d/20kgr /root/
      ${simulate}; mv /root/20kgr /etc/apt/apt.conf.d/`);
    expect(without.stdout).toContain(`Remv ${patchName}`);
  });

  test("one that is not let in: dpkg fails, says why, and tries again when asked", async () => {
    await run("cp /etc/kgr/kgr.conf /root/kgr.conf; echo UNSIGNED_MODULE=refuse >>/etc/kgr/kgr.conf");
    const refused = await run(`dpkg -i ${deb("3-1")}`);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /kgr: kgraft_patch_3_1 is installed and NOT in force: kgr load ended with 6/,
    );
    expect(refused.stderr).toMatch(/error processing package kgraft-patch-6\.1\.0-55-cloud-amd64/);
    expect(await spoken()).toBe("second");
    await run("cp /root/kgr.conf /etc/kgr/kgr.conf");
    expect(await run("dpkg --configure -a")).toMatchObject({ status: 0 });
    expect(await spoken()).toBe("third");
  });

  test("turned off by the administrator: installed, said, and not loaded", async () => {
    await run("echo LIVEPATCH_KERNEL=never >>/etc/kgr/kgr.conf");
    const { status, stderr } = await run(`dpkg -i ${deb("2-1")}`);
    expect(status).toBe(0);
    expect(stderr).toContain("live patches are turned off on this machine");
    expect(await spoken()).toBe("third");
    await run("cp /root/kgr.conf /etc/kgr/kgr.conf");
  });

  test("removal leaves the running kernel as it is, says so, and is over with the next boot", async () => {
    await run(`dpkg -i ${deb("3-1")}`);
    const removed = await run(`dpkg --purge ${patchName}`);
    expect(removed).toMatchObject({ status: 0 });
    expect(removed.stderr).toContain(
      "kgraft_patch_3_1 stays in force until the next boot; to go back now, type: kgr disable",
    );
    expect(await spoken()).toBe("third");
    expect((await run(`ls -A /usr/lib/modules/${release}/updates`)).stdout).toBe("");
    await guest.shutdown();
    guest = await boot();
    expect(await run(`ls ${sysfs}; kgr status; cat /proc/cmdline`)).toMatchObject({
      stdout: expect.stringMatching(/^ready\n.*console=/) as unknown,
    });
  });
});

describe("rpm", () => {
  test("installed, updated and removed, as with dpkg", async () => {
    const options = "--nodeps --replacepkgs --replacefiles";
    expect(await run(`rpm -i ${options} /share/kgr-*.rpm ${rpm("2-1")}`)).toMatchObject({ status: 0 });
    expect(await spoken()).toBe("second");
    const job = guest.start(probe);
    await run("sleep 1");
    expect(await run(`rpm -U --nodeps ${rpm("3-1")}`)).toMatchObject({ status: 0 });
    await run("sleep 2");
    expect((await job.stop()).stdout.trim().split("\n")).toEqual(["second", "third"]);
    const removed = await run("rpm -e kgraft-patch-6_1_0-55-cloud-amd64");
    expect(removed).toMatchObject({ status: 0 });
    expect(await spoken()).toBe("third");
    expect(removed.stderr).toContain(
      "kgraft_patch_3_1 stays in force until the next boot; to go back now, type: kgr disable kgraft_patch_3_1\n",
    );
    expect((await run(`ls /usr/lib/modules/${release}/updates`)).stdout).toBe("");
  });

  test("what a removal says to type goes back at once", async () => {
    expect(await run("kgr disable kgraft_patch_3_1")).toMatchObject({ status: 0 });
    expect(await spoken()).toBe("original");
    expect((await run("kgr status")).stdout).toBe("ready\n");
  });

  test("one that is not let in: rpm says that its scriptlet failed", async () => {
    await run("kgr unload kgraft_patch_3_1; echo UNSIGNED_MODULE=refuse >>/etc/kgr/kgr.conf");
    const refused = await run(`rpm -i --nodeps ${rpm("2-1")}`);
    expect(refused.stderr).toMatch(/kgraft_patch_2_1 is installed and NOT in force/);
    expect(refused.stderr).toMatch(
      /%post\(kgraft-patch-6_1_0-55-cloud-amd64-2-1\.x86_64\) scriptlet failed, exit status 1/,
    );
  });
});
