/**
 * A real Debian that starts by the initramfs that its own initramfs-tools or dracut made, by its own systemd: the
 * installed live patch in force before the first process, and the crash guard when the power goes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { agentFiles, bootGuest, type Guest, makeDebianRoot, openRootDisk, type RootDisk } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildKgr } from "../build/mod.ts";
import { patchFiles, systemFiles } from "./bootable.ts";
import { makeModules, testKernel } from "./guest.ts";

const packages = [
  "busybox",
  "dracut-core",
  "initramfs-tools",
  "kmod",
  "linux-image-6.1.0-55-cloud-amd64",
  "systemd-sysv",
  "udev",
  "zstd",
];
const release = "6.1.0-55-cloud-amd64";
const store = `/usr/lib/modules/${release}/updates/kgraft`;
// The modules of the cloud kernel that a guest's disk needs, and no compression: an emulated processor makes it.
const makeInitramfs = `set -e
echo '/dev/vda / ext4 defaults 0 1' >/etc/fstab
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=gzip/' /etc/initramfs-tools/initramfs.conf
printf 'virtio_pci\\nvirtio_blk\\n' >>/etc/initramfs-tools/modules
update-initramfs -u -k ${release}
cp /boot/initrd.img-${release} /share/initramfs-tools`;
const makeDracut = `dracut --no-hostonly --no-compress --add-drivers 'virtio_blk virtio_pci' \
  --modules 'base kernel-modules rootfs-block udev-rules fs-lib kgr' /share/dracut ${release}`;
const units = "kgr-boot.service kgr-shutdown.service kgr-confirm.path";

let disk: RootDisk;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "kgr-boot-"));
  const kernel = await testKernel();
  const modules = await makeModules(kernel);
  const binary = await buildKgr({ signal: new AbortController().signal });
  disk = await openRootDisk(await makeDebianRoot({ packages }));
  const files = [
    ...(await agentFiles()),
    ...(await systemFiles()),
    { path: "/usr/sbin/kgr", source: binary, mode: 0o755 },
    ...(await patchFiles(kernel, path.join(modules, "lp_v1.ko"), "/root")),
  ];
  await rm(modules, { recursive: true });
  const root = { disk, init: "none" } as const;
  await using guest = await bootGuest({
    kernel,
    files,
    root,
    share: folder,
    memoryMib: 1024,
    timeoutMs: 1_100_000,
  });
  // What starts terminals where there is no logind fails now and then on a busy machine, and is no matter here.
  const enable = `systemctl mask getty-static.service && systemctl enable lab.service ${units}`;
  const made = await guest.run(`${makeInitramfs}\n${makeDracut}\n${enable}`);
  if (made.status !== 0) {
    throw new Error(`cannot set up the machine: ${made.stderr}`);
  }
  await guest.shutdown();
}, 1_200_000);

afterAll(async () => {
  disk?.[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});

async function boot(
  initramfs: "initramfs-tools" | "dracut",
  parameters: readonly string[] = [],
): Promise<Guest> {
  const root = { disk, init: "system", initrd: path.join(folder, initramfs) } as const;
  // Modules that nobody needs here, and that an emulated processor stands still over.
  const unneeded = "modprobe.blacklist=kvm,kvm_amd,kvm_intel";
  const kernelParameters = ["root=/dev/vda", "ro", unneeded, ...parameters];
  const kernel = await testKernel();
  return bootGuest({ kernel, root, kernelParameters, memoryMib: 768, timeoutMs: 550_000 });
}

async function say(guest: Guest, command: string): Promise<string> {
  try {
    return (await guest.run(command, { timeoutMs: 300_000 })).stdout;
  } catch (cause) {
    const tail = guest.consoleText.slice(-1500);
    throw new Error(`cannot run ${command}: the console ended with:\n${tail}`, { cause });
  }
}

async function powerOff(guest: Guest): Promise<void> {
  guest.start("systemctl poweroff");
  expect(await guest.ended).toEqual({ kind: "powered-off" });
}

/** How systemd stands once it has started all, with what has failed; or with what it still waits for, after a while. */
const state = `for second in $(seq 200); do
  state=$(systemctl is-system-running)
  case $state in initializing | starting) sleep 1 ;; *) break ;; esac
done
echo "$state"; systemctl list-jobs --no-legend; systemctl --failed --plain --no-legend`;
/** Which came first: the last word of the livepatch core, and the first of systemd, in the order of the kernel's log. */
const order = "dmesg | grep -o \"livepatch: 'lp_v1': patching complete\\|systemd\\[1\\]: systemd [0-9]*\"";
const patchFirst = /^livepatch: 'lp_v1': patching complete\nsystemd\[1\]: systemd \d+\n$/;

describe("a machine with the units and the hooks", () => {
  test("finds the units right, and boots without a patch", async () => {
    await using guest = await boot("initramfs-tools");
    expect(await guest.run("systemd-analyze verify --man=no /usr/lib/systemd/system/kgr-*")).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
    expect(await say(guest, state)).toBe("running\n");
    expect(await say(guest, "kgr install /root/lp_v1.ko >/dev/null; cat /proc/version")).toContain("Debian");
    await powerOff(guest);
  });

  test("loads one that is new late, and finds it good", async () => {
    await using guest = await boot("initramfs-tools");
    expect(await say(guest, state)).toBe("running\n");
    expect(await say(guest, "cat /proc/version")).toBe("live patch 1\n");
    expect(await say(guest, order)).toMatch(/^systemd.*\nlivepatch/);
    expect(await say(guest, "kgr -v status")).toContain("crash guard: armed for lp_v1");
    const shorter = "mkdir -p /etc/kgr; echo CRASH_GUARD=1 >/etc/kgr/kgr.conf; systemctl restart kgr-confirm";
    const confirmed = "while [ -e /var/lib/kgr/inserting.json ]; do sleep 1; done; rm /etc/kgr/kgr.conf";
    await guest.run(`${shorter}; ${confirmed}`);
    expect(await say(guest, "kgr -v status")).toBe("ready\n    at boot: lp_v1\n");
    await powerOff(guest);
  });

  test.each(["initramfs-tools", "dracut"] as const)(
    "kgr=off: neither the initramfs of %s loads it nor the unit, which says why",
    async (initramfs) => {
      await using guest = await boot(initramfs, ["kgr=off"]);
      expect(await say(guest, state)).toBe("running\n");
      // It is there, and good: without the switch both would load it.
      expect(await say(guest, `ls ${store}; grep -c 'good.*lp_v1' /var/lib/kgr/guard.json`)).toBe(
        "lp_v1.json\nlp_v1.ko\n1\n",
      );
      expect(await say(guest, "cat /proc/version; grep lp_v1 /proc/modules; dmesg | grep lp_v1")).toMatch(
        /^Linux version .*Debian.*\n$/,
      );
      expect(
        await say(guest, "systemctl show -P ActiveState kgr-boot; journalctl -b -o cat -u kgr-boot"),
      ).toMatch(/^active\n(.*\n)*nothing is loaded: kgr=off stands on the kernel command line\n/);
      expect(await say(guest, "kgr -v status")).toBe(
        "ready\n    at boot: (nothing: kgr=off stands on the kernel command line)\n",
      );
      await powerOff(guest);
    },
  );

  test("loads it before its first process by the initramfs of initramfs-tools; then the power goes", async () => {
    await using guest = await boot("initramfs-tools");
    expect(await say(guest, state)).toBe("running\n");
    expect(await say(guest, order)).toMatch(patchFirst);
    expect(await say(guest, "kgr -v status")).toContain("crash guard: armed for lp_v1");
    await guest.kill();
  });

  test("does not load it again by itself, and says why; a load by hand lifts that", async () => {
    await using guest = await boot("dracut");
    expect(await say(guest, state)).toMatch(/^degraded\nkgr-boot\.service /);
    expect(await say(guest, "cat /proc/version")).toContain("Debian");
    expect(await say(guest, "kgr -v status")).toMatch(
      /^ready\n {4}at boot: \(nothing: see below\)\n {4}not at boot: lp_v1, the machine went down during or soon after/,
    );
    expect(await guest.run(`kgr load ${store}/lp_v1.ko`)).toMatchObject({
      status: 0,
    });
    await powerOff(guest);
  });

  test("loads it before its first process by the initramfs of dracut", async () => {
    await using guest = await boot("dracut");
    expect(await say(guest, state)).toBe("running\n");
    expect(await say(guest, order)).toMatch(patchFirst);
    expect(await say(guest, "grep ' / ' /proc/mounts")).toMatch(/ rw,/);
    await powerOff(guest);
  });
});
