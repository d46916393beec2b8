/** zypper on a machine: a live patch is a patch like any other, which it lists by its CVE and puts into force at once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { testKernel } from "./built.ts";
import type { DebianMachine } from "./debian-machine.ts";
import { patch, type RpmMachine, startRpmMachine } from "./rpm-machine.ts";

const sysfs = "/sys/kernel/livepatch";
let started: RpmMachine;
let machine: DebianMachine;

beforeAll(async () => {
  started = await startRpmMachine({ packages: ["zypper", "rpm"], setups: "/etc/zypp/repos.d" });
  ({ machine } = started);
  // Debian's rpm keeps a database for each user; zypper has the machine's, as everywhere else.
  await machine.ok("mkdir -p /etc/rpm && echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros");
});
afterAll(() => started?.[Symbol.asyncDispose]());

async function zypper(words: string): Promise<string> {
  return machine.ok(`zypper --non-interactive ${words}`);
}

test("kgr brings the initial live patch of the kernel, which is in force", async () => {
  await zypper("--gpg-auto-import-keys refresh");
  await zypper("install standin-system kernel-cloud-amd64 kgr");
  expect(await machine.ok("kgr status; kgr patches")).toBe("ready\nkgraft_patch_1_1\n");
});

test("zypper patch, twice: listed by its CVE, in force at once, and no moment is unpatched", async () => {
  const heard = await machine.heardWhile(async () => {
    await started.publishPatch(2, "second");
    await zypper("refresh");
    expect(await zypper("list-patches --cve=CVE-2026-0002")).toContain("KGRAFT-6.1.0-55-cloud-amd64-2");
    await zypper("patch");
    await started.publishPatch(3, "third");
    await zypper("refresh");
    expect(await machine.ok("kgr -v -v patches")).toMatch(
      new RegExp(`    RPM: ${patch}-2-1\\.x86_64\n[^]*    update available: 3-1\n`),
    );
    await zypper("patch");
  });
  expect(heard).toEqual(["original", "second", "third"]);
  expect(await machine.ok(`kgr status; ls ${sysfs}`)).toBe("ready\nkgraft_patch_3_1\n");
});

test("zypper install --oldpackage: back, and needed again", async () => {
  const heard = await machine.heardWhile(async () => {
    await zypper(`install --oldpackage ${patch}=2-1`);
  });
  expect(heard).toEqual(["third", "second"]);
  expect(await zypper("list-patches --cve")).toContain("CVE-2026-0003");
});

test("kgr downgrade: zypper brings the version before, which takes the place", async () => {
  expect(await machine.ok("kgr downgrade --dry-run")).toBe(
    `kgraft_patch_2_1: would be downgraded by: /usr/bin/zypper --non-interactive install --oldpackage '${patch}<2-1'\n`,
  );
  const heard = await machine.heardWhile(async () => {
    expect(await machine.ok("kgr downgrade --yes 2>/dev/null")).toBe("kgraft_patch_2_1: downgraded\n");
    expect(await machine.ok("kgr status; kgr patches")).toBe("ready\nkgraft_patch_1_1\n");
    await zypper(`install ${patch}=2-1`);
  });
  expect(heard).toEqual(["second", "original", "second"]);
});

test("one that is not let in: zypper shows why, and what it says to type puts it into force", async () => {
  await machine.ok("cp /etc/kgr/kgr.conf /root/ && echo UNSIGNED_MODULE=refuse >>/etc/kgr/kgr.conf");
  const { status, stdout, stderr } = await machine.run("zypper --non-interactive patch");
  expect(status).toBe(107); // ZYPPER_EXIT_INF_RPM_SCRIPT_FAILED
  const said = stdout + stderr;
  expect(said).toMatch(
    /cannot load kgraft_patch_3_1: it has no signature[^]*kgraft_patch_3_1 .* NOT in force/,
  );
  expect(await machine.ok("cat /proc/cmdline")).toBe("second\n");
  await machine.ok("cp /root/kgr.conf /etc/kgr/");
  await machine.ok(/type: (kgr load \S+)/.exec(said)?.[1] ?? "false");
  expect(await machine.ok("cat /proc/cmdline")).toBe("third\n");
});

test("zypper remove: in force until the next boot, which has none", async () => {
  expect(await zypper(`remove ${patch}`)).toContain("kgraft_patch_3_1 stays in force until the next boot");
  expect(await machine.ok("cat /proc/cmdline")).toBe("third\n");
  await machine.restart(await testKernel());
  expect(await machine.ok(`ls ${sysfs}; kgr status; cat /proc/cmdline`)).toMatch(/^ready\n.*console=/);
});
