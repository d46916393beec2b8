/** Packages on a machine with systemd: what of them is there after the next boot. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootGuest, type Guest, makeDebianRoot, openRootDisk, type RootDisk } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePackage } from "../src/mod.ts";
import { cmdlinePatch, dateSeconds, hostToolPackages, maintainer, signal, testKernel } from "./built.ts";

const release = "6.1.0-55-cloud-amd64";
const patchName = `kgraft-patch-${release}`;
let home: string;
let disk: RootDisk;
let guest: Guest;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kgraft-boot-packages-"));
  const directory = join(home, "packages");
  const module = (await cmdlinePatch(join(home, "built"), "kgraft_patch_2_1", "second")).modulePath;
  await makePackage({ directory, formats: ["deb"], maintainer, dateSeconds, module }, { signal });
  await hostToolPackages(directory, { formats: ["deb"] });
  const packages = [`linux-image-${release}`, "kmod", "systemd-sysv", "udev", "dbus"];
  disk = await openRootDisk(await makeDebianRoot({ packages }));
  guest = await boot();
});

afterAll(async () => {
  await guest?.kill();
  disk?.[Symbol.dispose]();
  await rm(home, { recursive: true });
});

async function boot(): Promise<Guest> {
  const path = "/etc/initramfs-tools/update-initramfs.conf";
  const files = [{ path, source: Buffer.from("update_initramfs=no\nbackup_initramfs=no\n") }];
  const root = { disk, init: "system" } as const;
  const share = join(home, "packages");
  const kernel = await testKernel();
  // No policy is loaded, so all is allowed; systemd would not start were it enforcing by then.
  const kernelParameters = ["security=selinux", "selinux=1"];
  const options = { files, share, kernelParameters, memoryMib: 1024, timeoutMs: 600_000 };
  const booted = await bootGuest({ kernel, root, ...options });
  await booted.run(
    "until [ -e /run/systemd/private ]; do sleep 0.2; done; systemctl is-system-running --wait",
  );
  return booted;
}

/** Down in order, as an administrator does it, and up again. */
async function reboot(): Promise<void> {
  guest.start("systemctl poweroff");
  expect(await guest.ended).toEqual({ kind: "powered-off" });
  guest = await boot();
}

async function out(command: string): Promise<string> {
  return (await guest.run(`${command} 2>&1`, { timeoutMs: 300_000 })).stdout;
}

describe("with systemd", () => {
  test("installed: in force, the units enabled and watching", async () => {
    const installed = await guest.run(`dpkg -i /share/kgr_*.deb /share/${patchName}_2-1_amd64.deb`);
    expect(installed).toMatchObject({ status: 0 });
    expect(await out("cat /proc/cmdline")).toBe("second\n");
    const enabled = "systemctl is-enabled kgr-boot.service kgr-shutdown.service kgr-confirm.path";
    expect(await out(enabled)).toBe("enabled\nenabled\nenabled\n");
    const active = "systemctl is-active kgr-shutdown.service kgr-confirm.path";
    expect(await out(active)).toBe("active\nactive\n");
  });

  test("the next boot: in force again, and nothing has failed", async () => {
    await reboot();
    expect(await out("systemctl is-active kgr-boot.service; cat /proc/cmdline")).toBe("active\nsecond\n");
    expect(await out("systemctl --failed --plain --no-legend")).toBe("");
  });

  test("where SELinux enforces: put into force by a unit, whose words and end are its own", async () => {
    const enforcing = "mount -t selinuxfs none /sys/fs/selinux; echo 1 >/sys/fs/selinux/enforce";
    expect(await guest.run(`${enforcing}; cat /sys/fs/selinux/enforce`)).toMatchObject({ stdout: "1" });
    const again = `kgr unload kgraft_patch_2_1 >/dev/null; dpkg -i /share/${patchName}_2-1_amd64.deb`;
    expect(await guest.run(again)).toMatchObject({ status: 0 });
    expect(await out("cat /proc/cmdline")).toBe("second\n");
    expect(await out("journalctl --boot --output=cat _PID=1")).toMatch(
      /^Started run-u\d+\.service - \S*kgr load \/usr\/lib\/modules\/\S+\/kgraft_patch_2_1\.ko\.$/m,
    );
    await guest.run("cp /etc/kgr/kgr.conf /root/; echo UNSIGNED_MODULE=refuse >>/etc/kgr/kgr.conf");
    const refused = await guest.run(again);
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /cannot load kgraft_patch_2_1: it has no signature[^]*NOT in force: kgr load ended with 6/,
      ) as unknown,
    });
    await guest.run("cp /root/kgr.conf /etc/kgr/; dpkg --configure -a; echo 0 >/sys/fs/selinux/enforce");
    expect(await out("cat /proc/cmdline")).toBe("second\n");
  });

  test("removed, and the next boot: gone", async () => {
    expect(await guest.run(`dpkg --purge ${patchName}`)).toMatchObject({ status: 0 });
    expect(await out("cat /proc/cmdline")).toBe("second\n");
    await reboot();
    expect(await out("ls /sys/kernel/livepatch; kgr status; cat /proc/cmdline")).toMatch(
      /^ready\n.*console=/,
    );
    expect(await out("systemctl --failed --plain --no-legend")).toBe("");
  });

  test("the tool purged: nothing of it is left", async () => {
    expect(await guest.run("dpkg --purge kgr")).toMatchObject({ status: 0 });
    const find =
      "find /usr /etc /var/lib/systemd -xdev '(' -name 'kgr*' -o -name '*_kgr' ')'; ls /var/lib/kgr";
    expect(await out(find)).toBe("ls: cannot access '/var/lib/kgr': No such file or directory\n");
  });
});
