/**
 * The power goes while a package is installed, updated or removed. Whatever dpkg had done by then, the machine starts,
 * runs either of the two live patches or none, and the same command, typed again, ends as it would have.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootGuest, type Guest, makeDebianRoot, openRootDisk, type RootDisk } from "@kgraft/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makePackage } from "../src/mod.ts";
import { cmdlinePatch, dateSeconds, hostToolPackages, maintainer, signal, testKernel } from "./built.ts";

const release = "6.1.0-55-cloud-amd64";
const patchName = `kgraft-patch-${release}`;
const install = (version: string): string => `dpkg -i /share/${patchName}_${version}_amd64.deb`;
let home: string;
let disk: RootDisk;
let guest: Guest;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kgraft-power-cut-"));
  const directory = join(home, "packages");
  const built = join(home, "built");
  for (const [name, text] of [
    ["kgraft_patch_2_1", "second"],
    ["kgraft_patch_3_1", "third"],
  ] as const) {
    const module = (await cmdlinePatch(built, name, text)).modulePath;
    await makePackage({ directory, formats: ["deb"], maintainer, dateSeconds, module }, { signal });
  }
  await hostToolPackages(directory, { formats: ["deb"] });
  disk = await openRootDisk(await makeDebianRoot({ packages: [`linux-image-${release}`, "kmod", "rpm"] }));
  guest = await boot();
  await guest.run("dpkg -i /share/kgr_*.deb; sync");
});

afterAll(async () => {
  await guest?.kill();
  disk?.[Symbol.dispose]();
  await rm(home, { recursive: true });
});

async function boot(): Promise<Guest> {
  const path = "/etc/initramfs-tools/update-initramfs.conf";
  const files = [{ path, source: Buffer.from("update_initramfs=no\nbackup_initramfs=no\n") }];
  const share = join(home, "packages");
  const kernel = await testKernel();
  return bootGuest({
    kernel,
    root: { disk, init: "none" },
    files,
    share,
    memoryMib: 1024,
    timeoutMs: 600_000,
  });
}

async function spoken(): Promise<string> {
  const { stdout } = await guest.run("cat /proc/cmdline");
  return stdout.replace(/^.*console=.*$/m, "original").trim();
}

/** Runs the command and cuts the power as soon as it says that; then starts the machine again. */
async function cutAt(command: string, said: string): Promise<void> {
  let output = "";
  const reached = Promise.withResolvers<void>();
  guest.start(`${command} 2>&1`, {
    onOutput: (text) => {
      output += text;
      if (output.includes(said)) reached.resolve();
    },
  });
  await reached.promise;
  await guest.kill();
  guest = await boot();
}

test.each([
  ["an installation, before its files", install("2-1"), "Preparing to unpack", "second"],
  ["an installation, its files unpacked", install("2-1"), "Setting up", "second"],
  ["an update, before its files", install("3-1"), "Preparing to unpack", "third"],
  ["an update, its files unpacked", install("3-1"), "Setting up", "third"],
  ["an update, in force already", install("3-1"), "is in force", "third"],
  ["a removal", `dpkg --purge ${patchName}`, "Removing", "original"],
])("the power goes in %s", async (_, command, said, wanted) => {
  // Where it starts from: nothing, the version before, or the newest.
  const before = { second: `dpkg --purge ${patchName}`, third: install("2-1"), original: install("3-1") }[
    wanted
  ];
  expect(await guest.run(`${before}; sync`)).toMatchObject({ status: 0 });
  await cutAt(command, said);
  // 1. As kgr-boot.service does. A patch that was being inserted is kept out by the crash guard, and that is said.
  await guest.run("kgr boot");
  expect(["original", "second", "third"]).toContain(await spoken());
  expect(await guest.run("kgr check")).toMatchObject({ status: 0 });
  // 2. The same once more: what is half unpacked, dpkg wants to unpack again before it configures anything.
  const again = await guest.run(`${command} && dpkg --configure -a && dpkg --audit`, { timeoutMs: 200_000 });
  expect(again).toMatchObject({ status: 0 });
  if (wanted === "original") {
    await guest.run("sync");
    await guest.shutdown();
    guest = await boot();
    await guest.run("kgr boot");
  }
  expect(await spoken()).toBe(wanted);
});
