/**
 * The power goes while live patches are installed, loaded, replaced and reverted. After each cut the machine boots
 * into what was before or what was to be, and a patch under insertion is held by the crash guard.
 *
 * Twice. Once each write to the disk is noted, and a cut is played at every one of them: between two writes nothing
 * changes that survives. A drive may also lose what it was not yet told to flush: all of it, or any part. And once the
 * machine's process is really killed in the middle of each step, and the machine really boots from its disk.
 */
import { closeSync, openSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  bootGuest,
  type DiskRequest,
  type Guest,
  openRootDisk,
  playWriteLog,
  readWriteLog,
  type RootDisk,
} from "@kgraft/lab";
import type { KernelTree } from "@kgraft/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testKernel } from "./guest.ts";
import { makeSmallMachine, type Version, versionIn } from "./small-machine.ts";

const store = "usr/lib/modules/6.1.0-55-cloud-amd64/updates/kgraft";

interface Step {
  readonly name: string;
  /** Brings the kernel to where the step begins, whatever is loaded. */
  readonly before: string;
  readonly command: string;
  /** What the machine may boot into after a cut: the first before it, the last after it. */
  readonly versions: readonly Version[];
}

const inForce = (name: string, file: string): string =>
  `[ -d /sys/kernel/livepatch/${name} ] || kgr load ${file}; kgr boot --confirm`;
const steps: readonly Step[] = [
  { name: "install 1", before: "", command: "kgr install /root/p/lp_v1.ko", versions: ["original", "1"] },
  {
    name: "load 1",
    before: "[ ! -d /sys/module/lp_v1 ] || kgr unload lp_v1",
    command: "kgr load /root/p/lp_v1.ko",
    versions: ["1", "original"],
  },
  {
    name: "find 1 good",
    before: "[ -d /sys/kernel/livepatch/lp_v1 ] || kgr load /root/p/lp_v1.ko",
    command: "kgr boot --confirm",
    versions: ["original", "1"],
  },
  {
    name: "install 2",
    before: inForce("lp_v1", "/root/p/lp_v1.ko"),
    command: "kgr install /root/p/lp_v2.ko",
    versions: ["1", "2"],
  },
  {
    name: "replace 1 by 2",
    before: `[ ! -d /sys/module/lp_v2 ] || kgr unload lp_v2; ${inForce("lp_v1", "/root/p/lp_v1.ko")}`,
    command: "kgr load /root/p/lp_v2.ko",
    versions: ["2", "1"],
  },
  {
    name: "find 2 good",
    before: "[ -d /sys/kernel/livepatch/lp_v2 ] || kgr load /root/p/lp_v2.ko",
    command: "kgr boot --confirm",
    versions: ["1", "2"],
  },
  {
    name: "install another build of 2",
    before: inForce("lp_v2", "/root/p/lp_v2.ko"),
    command: "kgr install /root/q/lp_v2.ko",
    versions: ["2"],
  },
  {
    name: "disable 2",
    before: inForce("lp_v2", "/root/q/lp_v2.ko"),
    command: "kgr disable lp_v2",
    versions: ["2"],
  },
  { name: "unload 2", before: "", command: "kgr unload lp_v2", versions: ["2"] },
  { name: "uninstall 2", before: "", command: "kgr uninstall lp_v2", versions: ["2", "1"] },
  { name: "uninstall 1", before: "", command: "kgr uninstall lp_v1", versions: ["1", "original"] },
];

let kernel: KernelTree;
let folder = "";
/** The disk before the first boot. */
let image = "";

beforeAll(async () => {
  kernel = await testKernel();
  folder = await mkdtemp(path.join(tmpdir(), "kgr-power-"));
  image = await makeSmallMachine(kernel, folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bootFrom(disk: RootDisk, writeLog?: string): Promise<Guest> {
  const root = { disk, init: "none", ...(writeLog !== undefined && { writeLog }) } as const;
  return bootGuest({ kernel, root, memoryMib: 256, timeoutMs: 550_000 });
}

describe("a cut at each write to the disk", () => {
  let requests: readonly DiskRequest[] = [];
  /** How many requests there were before and after each step. */
  const spans = new Map<string, readonly [from: number, to: number]>();
  let judge: Guest;
  let share = "";

  beforeAll(async () => {
    const log = path.join(folder, "log");
    share = path.join(folder, "share");
    await mkdir(share);
    await writeFile(log, "");
    using disk = await openRootDisk(image);
    const guest = await bootFrom(disk, log);
    for (const { name, before, command } of steps) {
      await guest.run(`${before}; sync`);
      const from = readWriteLog(log).length;
      const { status, stderr } = await guest.run(command);
      if (status !== 0) {
        throw new Error(`${command} ended with ${status}: ${stderr}`);
      }
      spans.set(name, [from, readWriteLog(log).length]);
    }
    await guest.kill();
    requests = readWriteLog(log);
    judge = await bootGuest({ kernel, modules: ["loop"], share, timeoutMs: 1_500_000 });
  }, 600_000);
  afterAll(() => judge?.kill());

  /** What of the disk decides what is done at boot. */
  const look = `mkdir -p /mnt; mount -o loop /share/cut /mnt && cd /mnt
find usr/lib/modules var/lib | sort; find usr/lib/modules var/lib -type f | sort | xargs sha256sum
cd /; umount /mnt`;
  /** The command of the unit on that disk; then the kernel as it was before, and names that would stay for good. */
  const bootIt = `mount -o loop /share/cut /mnt; mount -t tmpfs none /mnt/run
for d in proc sys dev; do mount -o bind /$d /mnt/$d; done
chroot /mnt /usr/sbin/kgr boot 2>&1; echo status $?; cat /proc/version
for p in $(ls /sys/kernel/livepatch); do chroot /mnt /usr/sbin/kgr unload $p; done
echo left: $(ls /mnt/${store} 2>/dev/null | grep -v '^lp_v[12]\\.\\(next\\.\\)\\?\\(ko\\|json\\)\\(\\.new\\)\\?$')
umount /mnt/run /mnt/proc /mnt/sys /mnt/dev /mnt`;
  /** By what lies on the disk: most writes change nothing of it. */
  const known = new Map<string, string>();

  /** What a machine does that boots from the disk as the cut left it. */
  async function bootAfter(count: number, lose?: (index: number) => boolean): Promise<string> {
    const cut = path.join(share, "cut");
    await copyFile(image, cut);
    const disk = openSync(cut, "r+");
    playWriteLog(path.join(folder, "log"), requests, disk, count, lose);
    closeSync(disk);
    const looked = await judge.run(look);
    expect(looked).toMatchObject({ status: 0, stderr: "" });
    const said = known.get(looked.stdout) ?? (await judge.run(bootIt)).stdout;
    known.set(looked.stdout, said);
    return said;
  }

  interface Cut {
    readonly count: number;
    readonly lose?: (index: number) => boolean;
  }
  /** All lost is what an earlier cut has left; a part of several writes is something new. */
  function cutsAfter(count: number): readonly Cut[] {
    const flushed = requests.slice(0, count).findLastIndex(({ kind }) => kind === "flush");
    const some = { count, lose: (index: number) => (index * 2_654_435_761) % 7 < 3 };
    return flushed < count - 2 ? [{ count }, some] : [{ count }];
  }

  test.each(steps)("$name", async ({ name, versions }) => {
    const [from, to] = spans.get(name) ?? [0, 0];
    const writes = requests.flatMap(({ kind }, index) => (kind === "write" ? [index + 1] : []));
    const counts = [from, ...writes.filter((count) => count > from && count <= to)];
    const order: Version[] = [];
    for (const cut of counts.flatMap(cutsAfter)) {
      const said = await bootAfter(cut.count, cut.lose);
      expect(said).toMatch(/status [06]\n[^]*left:\n$/);
      expect(versions, `after ${cut.count} of ${to} requests: ${said}`).toContain(versionIn(said));
      order.push(...(cut.lose === undefined ? [versionIn(said)] : []));
    }
    // Once it is what was to be, it stays so; and at the end it is.
    expect(order.filter((version, at) => at === 0 || version !== order[at - 1])).toEqual(
      versions.slice(0, new Set(order).size),
    );
    expect(versionIn(await bootAfter(to, () => true))).toBe(versions.at(-1));
  });
});

describe("the machine killed in the middle", () => {
  let disk: RootDisk;
  let guest: Guest;
  beforeAll(async () => {
    disk = await openRootDisk(image);
    guest = await bootFrom(disk);
  });
  afterAll(async () => {
    await guest.kill();
    disk[Symbol.dispose]();
  });

  test.each(steps.map((step, at) => ({ ...step, share: ((at * 5) % 11) / 11 })))(
    "$name",
    async ({ before, command, versions, share }) => {
      await guest.run(`${before}; sync`);
      const job = guest.start(command);
      job.result.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100 + share * 2000));
      await guest.kill();
      guest = await bootFrom(disk);
      const booted = await guest.run("kgr boot 2>&1; echo status $?; cat /proc/version");
      expect(booted.stdout).toMatch(/status [06]\n/);
      expect(versions).toContain(versionIn(booted.stdout));
      // What was cut off is done again, from any state.
      const again = await guest.run(`${before}\n${command}\ncase $? in 0 | 5 | 66) ;; *) exit 1 ;; esac`);
      expect(again).toMatchObject({ status: 0 });
    },
  );
});
