import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isThere, type Machine } from "../../test/machine.ts";
import { machineWithStore, pairFiles, restart, sha256Of, store } from "../../test/store.ts";
import { defaultPolicy } from "../policy.ts";

const marker = "/var/lib/kgr/inserting.json";

/** With kgraft_1 installed. */
function installed(files: Readonly<Record<string, string | Uint8Array>> = {}): Machine {
  return machineWithStore({ ...pairFiles(store, "kgraft_1"), ...files });
}

function inForce(machine: Machine, name = "kgraft_1"): boolean {
  return isThere(machine, `/sys/kernel/livepatch/${name}`);
}

/** With kgraft_1 loaded in a boot that did not last. */
async function crashed(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<Machine> {
  const machine = installed(files);
  await machine.kgr("boot");
  restart(machine, "boot-2");
  return machine;
}

describe("kgr boot", () => {
  test("loads the installed patch with the crash guard armed", async () => {
    const host = installed();
    expect(await host.kgr("boot")).toEqual({ status: 0, out: "kgraft_1: ready after 0.0 s\n", err: "" });
    expect(JSON.parse(host.read(marker))).toMatchObject({
      name: "kgraft_1",
      sha256: sha256Of("kgraft_1"),
      bootId: "boot-1",
    });
    expect((await host.kgr("-v", "status")).out).toBe(
      "ready\n    at boot: kgraft_1\n    crash guard: armed for kgraft_1 since 2026-11-24T14:00:00Z\n",
    );
  });

  test.each([
    ["off", { "/proc/cmdline": "quiet kgr=off\n" }, "kgr=off stands on the kernel command line"],
    ["never", { "/etc/kgr/kgr.conf": "LIVEPATCH_KERNEL=never\n" }, "LIVEPATCH_KERNEL=never"],
  ])("does nothing when %s, and status says so", async (outcome, files, said) => {
    const host = installed(files);
    const { status, out } = await host.kgr("boot", "--json");
    expect({ status, document: JSON.parse(out) as unknown }).toEqual({
      status: 0,
      document: { outcome, patch: null },
    });
    expect(inForce(host)).toBe(false);
    expect((await host.kgr("boot")).out).toContain(said);
    expect((await host.kgr("-v", "status")).out).toContain(`    at boot: (nothing: ${said})\n`);
  });

  test("takes the last kgr= of the kernel command line", async () => {
    const host = installed({ "/proc/cmdline": "kgr=off quiet kgr=on\n" });
    expect(await host.kgr("boot")).toMatchObject({ status: 0 });
    expect(inForce(host)).toBe(true);
  });

  test("does nothing where none is installed, or it is in force already", async () => {
    expect(await machineWithStore().kgr("boot")).toMatchObject({
      status: 0,
      out: "no live patch is installed for 6.1.0-55-cloud-amd64\n",
    });
    const host = installed();
    await host.kgr("boot");
    expect(await host.kgr("boot")).toMatchObject({ status: 0, out: "kgraft_1: in force already\n" });
  });

  test("refuses what is damaged", async () => {
    const bytes = readFileSync(`${installed().root}${store}/kgraft_1.ko`);
    const host = installed({ [`${store}/kgraft_1.ko`]: bytes.map((byte, at) => (at < 64 ? byte : 0)) });
    expect(await host.kgr("boot")).toMatchObject({ status: 65, out: "" });
    expect(isThere(host, marker)).toBe(false);
  });

  test.each([
    ["both files empty", { [`${store}/kgraft_2.ko`]: "", [`${store}/kgraft_2.json`]: "" }],
    ["an empty module", { ...pairFiles(store, "kgraft_2"), [`${store}/kgraft_2.ko`]: "" }],
    ["an empty manifest", { ...pairFiles(store, "kgraft_2"), [`${store}/kgraft_2.json`]: "" }],
  ])("goes on with the one before where a power cut left %s, and says so", async (_, files) => {
    const host = installed(files);
    expect(await host.kgr("boot")).toEqual({
      status: 0,
      out: "kgraft_1: ready after 0.0 s\n",
      err: "kgr: did not load kgraft_2: its files are damaged\n",
    });
    expect((await host.kgr("-v", "status")).out).toContain(
      "    at boot: kgraft_1\n    not at boot: kgraft_2, its files are damaged; install its package again\n",
    );
    expect((await host.kgr("metrics")).out).toContain('\nkgr_boot_patch_damaged{patch="kgraft_2"} 1\n');
  });

  test("says it where there is no other", async () => {
    const host = machineWithStore({ [`${store}/kgraft_2.ko`]: "", [`${store}/kgraft_2.json`]: "" });
    expect(await host.kgr("boot")).toEqual({
      status: 65,
      out: "",
      err: "kgr: did not load kgraft_2: its files are damaged\n     install its package again\n",
    });
    expect((await host.kgr("-v", "status")).out).toContain(
      "    at boot: (nothing: see below)\n    not at boot: kgraft_2, its files are damaged; install its package again\n",
    );
  });

  test("forgets an insertion that the kernel refused", async () => {
    const host = installed({ "/usr/sbin/insmod": "#!/bin/sh\necho Invalid module format >&2\nexit 1\n" });
    expect(await host.kgr("boot")).toMatchObject({ status: 1 });
    expect(isThere(host, marker)).toBe(false);
  });

  test("loads nothing where the crash guard cannot be armed, unless always", async () => {
    const host = installed({ "/var/lib/kgr": "no folder" });
    const { status, err } = await host.kgr("boot");
    expect(status).toBe(2);
    expect(err).toContain(
      "the crash guard cannot be armed: cannot write /var/lib/kgr/inserting.json.new: ENOTDIR",
    );
    expect(inForce(host)).toBe(false);
    host.put({ "/etc/kgr/kgr.conf": "LIVEPATCH_KERNEL=always\n" });
    expect(await host.kgr("boot")).toMatchObject({ status: 0 });
  });

  test("--dry-run says what each stage would do, and notes nothing", async () => {
    const host = await crashed();
    expect(await host.kgr("boot", "--dry-run")).toMatchObject({ status: 6 });
    expect(isThere(host, marker)).toBe(true); // not settled
    host.remove(marker);
    expect(await host.kgr("boot", "--dry-run")).toMatchObject({ out: "kgraft_1: would be loaded\n" });
    expect(await host.kgr("boot", "--early", "--dry-run")).toMatchObject({
      out: "kgraft_1: not known to be good yet, left to the running system\n",
    });
    expect(inForce(host) || isThere(host, marker)).toBe(false);
    await host.kgr("boot");
    expect(await host.kgr("boot", "--confirm", "--dry-run")).toMatchObject({
      out: "kgraft_1: would count as good after 60 s\n",
    });
    expect(JSON.parse((await host.kgr("boot", "--shutdown", "--dry-run", "--json")).out)).toEqual({
      outcome: "shut-down",
      patch: "kgraft_1",
      dryRun: true,
    });
    expect(isThere(host, marker)).toBe(true);
    expect(isThere(host, "/var/lib/kgr/guard.json")).toBe(false);
  });

  test("does one thing at a time", async () => {
    expect(await installed().kgr("boot", "--early", "--confirm")).toMatchObject({ status: 64 });
  });
});

describe("the crash guard", () => {
  test("keeps a patch out with which the machine went down, and status says how to lift that", async () => {
    const host = await crashed();
    const { status, err } = await host.kgr("boot");
    expect(status).toBe(6);
    expect(err).toContain("did not load kgraft_1: the machine went down during or soon after its insertion");
    expect(err).toContain(`load it by hand with: kgr load ${store}/kgraft_1.ko`);
    expect(inForce(host)).toBe(false);
    expect(isThere(host, marker)).toBe(false);
    expect((await host.kgr("-v", "status")).out).toContain(
      "    at boot: (nothing: see below)\n" +
        "    not at boot: kgraft_1, the machine went down during or soon after its insertion of " +
        `2026-11-24T14:00:00Z; lift that with: kgr load ${store}/kgraft_1.ko\n`,
    );
  });

  test("and keeps it out from then on", async () => {
    const host = await crashed();
    for (const bootId of ["boot-3", "boot-4"]) {
      await host.kgr("boot");
      restart(host, bootId);
    }
    expect(await host.kgr("boot")).toMatchObject({ status: 6 });
  });

  test("is told to monitoring, until that is lifted", async () => {
    const host = await crashed();
    await host.kgr("boot");
    expect((await host.kgr("metrics")).out).toContain('\nkgr_boot_patch_held{patch="kgraft_1"} 1\n');
    await host.kgr("load", `${store}/kgraft_1.ko`);
    expect((await host.kgr("metrics")).out).toContain('\nkgr_boot_patch_held{patch="kgraft_1"} 0\n');
    host.put({ "/proc/cmdline": "kgr=off\n" });
    const { out } = await host.kgr("metrics");
    expect(out).toContain("\nkgr_boot_enabled 0\n");
    expect(out).not.toContain("\nkgr_boot_patch_held{");
  });

  test("is told before kgr boot has run", async () => {
    const { out } = await (await crashed()).kgr("status", "--json");
    expect(JSON.parse(out)).toMatchObject({
      boot: {
        plan: "held",
        patch: null,
        held: [{ patch: "kgraft_1", at: "2026-11-24T14:00:00Z" }],
        armed: null,
      },
    });
  });

  test("lets it in with LIVEPATCH_KERNEL=always", async () => {
    const host = await crashed({ "/etc/kgr/kgr.conf": "LIVEPATCH_KERNEL=always\n" });
    expect(await host.kgr("boot")).toMatchObject({ status: 0 });
    expect(inForce(host)).toBe(true);
  });

  test("lets in another build, and a newer patch", async () => {
    const host = await crashed();
    host.put(pairFiles(store, "kgraft_1", 2));
    expect(await host.kgr("boot")).toMatchObject({ status: 0, err: "" });
    restart(host, "boot-3");
    host.put(pairFiles(store, "kgraft_2"));
    expect(await host.kgr("boot")).toMatchObject({ status: 0, err: "" });
    expect(inForce(host, "kgraft_2")).toBe(true);
  });

  test("falls back to the one before, and says so", async () => {
    const host = installed();
    await host.kgr("boot");
    await host.kgr("boot", "--confirm");
    host.put(pairFiles(store, "kgraft_2"));
    await host.kgr("load", `${store}/kgraft_2.ko`);
    restart(host, "boot-2");
    const { status, out, err } = await host.kgr("boot");
    expect({ status, out }).toEqual({ status: 0, out: "kgraft_1: ready after 0.0 s\n" });
    expect(err).toContain("did not load kgraft_2: the machine went down");
  });

  test("is lifted by hand", async () => {
    const host = await crashed();
    await host.kgr("boot");
    expect(await host.kgr("load", `${store}/kgraft_1.ko`)).toMatchObject({ status: 0, err: "" });
    await host.kgr("boot", "--shutdown");
    restart(host, "boot-3");
    expect(await host.kgr("boot")).toMatchObject({ status: 0, err: "" });
  });

  test("does not hold an orderly shutdown against it", async () => {
    const host = installed();
    await host.kgr("boot");
    expect(await host.kgr("boot", "--shutdown")).toMatchObject({
      status: 0,
      out: "kgraft_1: the machine goes down in order\n",
    });
    restart(host, "boot-2");
    expect(await host.kgr("boot")).toMatchObject({ status: 0, err: "" });
  });

  test("is armed by kgr load too, and disarmed by unload", async () => {
    const host = machineWithStore(pairFiles("/p", "kgraft_1"));
    host.put({
      "/usr/sbin/rmmod": "#!/bin/sh\nrm -r $ROOT/sys/kernel/livepatch/$1 $ROOT/sys/module/$1\n",
    });
    await host.kgr("load", "/p/kgraft_1.ko");
    expect(isThere(host, marker)).toBe(true);
    expect(await host.kgr("unload", "kgraft_1")).toMatchObject({ status: 0 });
    expect(isThere(host, marker)).toBe(false);
  });

  test.each([
    ["a damaged marker", { [marker]: '{"name":' }],
    ["a marker of another kind", { [marker]: '{"name":"kgraft_1"}' }],
    ["a time that is none", { [marker]: '{"name":"a","sha256":"b","bootId":"c","atMs":1e99}' }],
    ["a damaged record", { "/var/lib/kgr/guard.json": '{"wentDown":[1,{}],"good":7}' }],
  ])("passes over %s", async (_, files) => {
    const host = installed(files);
    expect(await host.kgr("boot")).toMatchObject({ status: 0, err: "" });
    expect(JSON.parse(host.read(marker))).toMatchObject({ name: "kgraft_1" });
  });

  test("is no matter on a machine that keeps nothing", async () => {
    const host = machineWithStore(pairFiles("/p", "kgraft_1"));
    host.remove("/var");
    expect(await host.kgr("load", "/p/kgraft_1.ko")).toMatchObject({ status: 0, err: "" });
    expect(isThere(host, "/var")).toBe(false);
  });
});

describe("kgr boot --confirm", () => {
  test("counts a patch as good when the machine has stayed up", async () => {
    const host = installed({ "/etc/kgr/kgr.conf": "CRASH_GUARD=10\n" });
    await host.kgr("boot");
    const startMs = host.system.nowMs();
    expect(await host.kgr("boot", "--confirm")).toMatchObject({
      status: 0,
      out: "kgraft_1: counts as good\n",
    });
    expect(host.system.nowMs() - startMs).toBe(10_000);
    expect(isThere(host, marker)).toBe(false);
    expect(await host.kgr("boot", "--confirm")).toMatchObject({ out: "no insertion to confirm\n" });
  });

  test("begins to count when the transition has ended", async () => {
    const host = installed({ "/etc/kgr/kgr.conf": "CRASH_GUARD=10\n" });
    await host.kgr("boot");
    host.put({ "/sys/kernel/livepatch/kgraft_1/transition": "1\n" });
    host.onSleep = (count) => {
      if (count === 30) {
        host.put({ "/sys/kernel/livepatch/kgraft_1/transition": "0\n" });
      }
    };
    const startMs = host.system.nowMs();
    await host.kgr("boot", "--confirm");
    expect(host.system.nowMs() - startMs).toBe(39_000);
  });

  test("begins anew with another insertion", async () => {
    const host = installed(pairFiles("/p", "kgraft_2"));
    await host.kgr("boot");
    let loads: Promise<unknown> | null = null;
    host.onSleep = () => {
      loads ??= host.kgr("load", "/p/kgraft_2.ko");
    };
    expect(await host.kgr("boot", "--confirm")).toMatchObject({
      out: expect.stringMatching(/\nkgraft_2: counts as good\n$/) as string,
    });
  });

  test("interrupted, leaves the guard armed", async () => {
    const host = installed();
    await host.kgr("boot");
    host.interrupt();
    expect(await host.kgr("boot", "--confirm")).toMatchObject({ status: 130 });
    expect(isThere(host, marker)).toBe(true);
  });
});

describe("kgr boot --early", () => {
  test("leaves a patch to the running system that is not known to be good", async () => {
    const host = installed();
    expect(await host.kgr("boot", "--early")).toMatchObject({
      status: 0,
      out: "kgraft_1: not known to be good yet, left to the running system\n",
    });
    expect(inForce(host)).toBe(false);
  });

  test("loads one that is, with the guard armed", async () => {
    const host = installed();
    await host.kgr("boot");
    await host.kgr("boot", "--confirm");
    restart(host, "boot-2");
    expect(await host.kgr("boot", "--early")).toMatchObject({ status: 0, err: "" });
    expect(inForce(host)).toBe(true);
    expect(isThere(host, marker)).toBe(true);
  });

  test("and keeps one out that was good, but not the last time", async () => {
    const host = installed();
    await host.kgr("boot");
    await host.kgr("boot", "--confirm");
    restart(host, "boot-2");
    await host.kgr("boot", "--early");
    restart(host, "boot-3");
    expect(await host.kgr("boot", "--early")).toMatchObject({ status: 6 });
    expect(await host.kgr("boot")).toMatchObject({ status: 6 });
  });
});

test("kgr-boot.service gives kgr the time that the default policy may take, the way back included", () => {
  const unit = readFileSync(
    new URL("../../etc/usr/lib/systemd/system/kgr-boot.service", import.meta.url),
    "utf8",
  );
  const { busyTimeoutMs, transitionTimeoutMs } = defaultPolicy;
  const longestMs = 2 * busyTimeoutMs + 2 * transitionTimeoutMs + 2 * busyTimeoutMs;
  expect(unit).toContain(`# ${longestMs / 1000} s; `);
  expect(Number(/^TimeoutStartSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(longestMs / 1000);
});
