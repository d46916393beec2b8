/** dnf on a machine: live patches are listed by their CVEs, come with an upgrade and go back, in force at once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { testKernel } from "./built.ts";
import type { DebianMachine } from "./debian-machine.ts";
import { patch, type RpmMachine, startRpmMachine } from "./rpm-machine.ts";

const sysfs = "/sys/kernel/livepatch";
const advisory = (counter: number): string => `KGRAFT-6.1.0-55-cloud-amd64-${counter}`;
let started: RpmMachine;
let machine: DebianMachine;

beforeAll(async () => {
  started = await startRpmMachine({ packages: ["dnf", "rpm"], setups: "/etc/yum.repos.d" });
  ({ machine } = started);
  // Debian's rpm keeps a database for each user; dnf looks for one of the machine.
  await machine.ok("mkdir -p /etc/rpm && echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros");
});
afterAll(() => started?.[Symbol.asyncDispose]());

async function dnf(words: string): Promise<string> {
  // No package tells it the release of a distribution that is not one of rpm.
  return machine.ok(`dnf --releasever=1 --assumeyes ${words}`);
}

/** What stands at the functions that ftrace redirects. */
async function redirected(): Promise<string> {
  return machine.ok("cat /sys/kernel/tracing/enabled_functions");
}

test("dnf makecache: nothing without the key, which it takes with consent", async () => {
  // Its status is 0 all the same.
  const refused = await machine.ok("dnf --releasever=1 --assumeno makecache");
  expect(refused).toMatch(/GPG signature verification error[^]*Ignoring repositories: kgraft-stable/);
  expect(await dnf("makecache")).toContain("Importing GPG key");
  expect(await dnf("updateinfo list")).not.toContain("KGRAFT");
});

test("kgr brings the initial live patch of the kernel, which is in force", async () => {
  await dnf("install standin-system kernel-cloud-amd64 kgr");
  expect(await machine.ok("kgr status; kgr patches")).toBe("ready\nkgraft_patch_1_1\n");
  expect(await redirected()).toBe("");
});

test("dnf upgrade, twice: told of by its CVE, in force at once, and no moment is unpatched", async () => {
  const heard = await machine.heardWhile(async () => {
    await started.publishPatch(2, "second");
    expect(await dnf("--refresh updateinfo list --cve=CVE-2026-0002")).toMatch(
      new RegExp(`${advisory(2)} .*${patch}-2-1`),
    );
    expect(await dnf("updateinfo list --cve=CVE-2026-0009")).not.toContain("KGRAFT");
    expect(await dnf("updateinfo info --cve=CVE-2026-0002")).toMatch(/CVEs: CVE-2026-0002/);
    await dnf("upgrade --cve=CVE-2026-0002");
    expect(await dnf("updateinfo list")).not.toContain("KGRAFT");
    await started.publishPatch(3, "third");
    await dnf("--refresh makecache");
    expect(await machine.ok("kgr -v -v patches")).toMatch(
      new RegExp(`    RPM: ${patch}-2-1\\.x86_64\n[^]*    update available: 3-1\n`),
    );
    await dnf("upgrade --security");
  });
  expect(heard).toEqual(["original", "second", "third"]);
  expect(await machine.ok(`kgr status; ls ${sysfs}`)).toBe("ready\nkgraft_patch_3_1\n");
  expect(await redirected()).toMatch(/^cmdline_proc_show \(1\).*klp_ftrace_handler/m);
});

test("one that was retracted is not offered", async () => {
  const heard = await machine.heardWhile(async () => {
    await started.publishPatch(4, "fourth");
    await started.publishChange({ retract: { advisory: advisory(4), reason: "it deadlocks" } });
    expect(await dnf("--refresh upgrade")).toContain("Nothing to do");
    // It does not know that advisories are retracted, and has no package for this one.
    expect(await dnf("updateinfo list")).toContain(advisory(4));
    expect(await dnf(`list --showduplicates ${patch}`)).not.toContain("4-1");
  });
  expect(heard).toEqual(["third"]);
});

test("dnf downgrade: back, and told of again", async () => {
  const heard = await machine.heardWhile(async () => {
    await dnf(`downgrade ${patch}-2-1`);
  });
  expect(heard).toEqual(["third", "second"]);
  expect(await machine.ok(`kgr status; ls ${sysfs}`)).toBe("ready\nkgraft_patch_2_1\n");
  expect(await dnf("updateinfo list --with-cve")).toMatch(new RegExp(`CVE-2026-0003 .*${patch}-3-1`));
});

test("kgr downgrade: dnf brings the version before, which takes the place", async () => {
  expect(await machine.ok("kgr downgrade --dry-run")).toBe(
    `kgraft_patch_2_1: would be downgraded by: /usr/bin/dnf -y downgrade ${patch}\n`,
  );
  const heard = await machine.heardWhile(async () => {
    expect(await machine.ok("kgr downgrade --yes 2>/dev/null")).toBe("kgraft_patch_2_1: downgraded\n");
    expect(await machine.ok("kgr status; kgr patches")).toBe("ready\nkgraft_patch_1_1\n");
    await dnf(`install ${patch}-2-1`);
  });
  expect(heard).toEqual(["second", "original", "second"]);
});

test("one that is not let in: dnf shows why, and what it says to type puts it into force", async () => {
  await machine.ok("cp /etc/kgr/kgr.conf /root/ && echo UNSIGNED_MODULE=refuse >>/etc/kgr/kgr.conf");
  const said = await dnf("upgrade");
  expect(said).toMatch(
    /cannot load kgraft_patch_3_1: it has no signature[^]*kgraft_patch_3_1 .* NOT in force/,
  );
  expect(said).toContain(`Error in POSTIN scriptlet in rpm package ${patch}`);
  expect(await machine.ok("cat /proc/cmdline")).toBe("second\n");
  await machine.ok("cp /root/kgr.conf /etc/kgr/");
  await machine.ok(/type: (kgr load \S+)/.exec(said)?.[1] ?? "false");
  expect(await machine.ok("cat /proc/cmdline")).toBe("third\n");
});

test("dnf remove: in force until the next boot, which has none", async () => {
  expect(await dnf(`remove ${patch}`)).toContain("kgraft_patch_3_1 stays in force until the next boot");
  expect(await machine.ok("cat /proc/cmdline")).toBe("third\n");
  expect(await dnf("updateinfo list")).not.toContain("KGRAFT");
  await machine.restart(await testKernel());
  expect(await machine.ok(`ls ${sysfs}; kgr status; cat /proc/cmdline`)).toMatch(/^ready\n.*console=/);
});
