/**
 * zypper on a machine: a live patch is a patch like any other, which it lists by its CVE and puts into force at once.
 * The system is Debian's, as everywhere here, with the stock kernel; stand-ins tell rpm of it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeMetapackage, makePackage, type PackageFile } from "../src/mod.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  initialPatch,
  maintainer,
  signal,
  testKernel,
} from "./built.ts";
import { type DebianMachine, served, startDebianMachine } from "./debian-machine.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { makeStandIns, standInsSetup } from "./stand-ins.ts";

const patch = "kgraft-patch-6_1_0-55-cloud-amd64";
const sysfs = "/sys/kernel/livepatch";
let place: Scratch;
let key: string;
let machine: DebianMachine;
let request: {
  readonly directory: string;
  formats: readonly ["rpm"];
  maintainer: string;
  dateSeconds: number;
};

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  request = { directory: join(place.path, "packages"), formats: ["rpm"], maintainer, dateSeconds };
  const kernel = await testKernel();
  const { modulePath: module } = await initialPatch(join(place.path, "built"));
  await publish([
    ...(await makePackage({ ...request, module }, { signal })).files,
    ...(await makeMetapackage({ ...request, kernel }, { signal })),
    ...(await hostToolPackages(request.directory, { formats: ["rpm"] })),
  ]);
  await makeStandIns(join(place.path, "served/standins"), { kernels: ["55"], shell: false });
  await writeFile(join(place.path, "served/standins.repo"), standInsSetup("/share/standins"));
  machine = await startDebianMachine(kernel, join(place.path, "served"), ["zypper", "rpm"]);
});
afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

async function publish(files: readonly PackageFile[]): Promise<void> {
  const repository = join(place.path, "served/patches");
  await mkdir(repository, { recursive: true });
  const paths = files.map(({ path }) => path);
  await publishWith([key], repository, paths, { settings: { url: `${served}/patches` } });
}

async function publishPatch(counter: number, text: string): Promise<void> {
  const fixes = [{ id: `CVE-2026-000${counter}`, title: "" }];
  const name = `kgraft_patch_${counter}_1`;
  const { modulePath: module } = await cmdlinePatch(join(place.path, "built"), name, text, fixes);
  await publish((await makePackage({ ...request, module }, { signal })).files);
}

async function zypper(words: string): Promise<string> {
  return machine.ok(`zypper --non-interactive ${words}`);
}

test("kgr brings the initial live patch of the kernel, which is in force", async () => {
  await machine.ok(
    "mkdir -p /etc/zypp/repos.d && cp /share/standins.repo /share/patches/rpm/stable/kgraft.repo /etc/zypp/repos.d/",
  );
  await zypper("--gpg-auto-import-keys refresh");
  await zypper("install standin-system kernel-cloud-amd64 kgr");
  expect(await machine.ok("kgr status; kgr patches")).toBe("ready\nkgraft_patch_1_1\n");
});

test("zypper patch, twice: listed by its CVE, in force at once, and no moment is unpatched", async () => {
  const heard = await machine.heardWhile(async () => {
    await publishPatch(2, "second");
    await zypper("refresh");
    expect(await zypper("list-patches --cve=CVE-2026-0002")).toContain("KGRAFT-6.1.0-55-cloud-amd64-2");
    await zypper("patch");
    await publishPatch(3, "third");
    await zypper("refresh");
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

test("zypper remove: in force until the next boot, which has none", async () => {
  expect(await zypper(`remove ${patch}`)).toContain("kgraft_patch_2_1 stays in force until the next boot");
  expect(await machine.ok("cat /proc/cmdline")).toBe("second\n");
  await machine.restart(await testKernel());
  expect(await machine.ok(`ls ${sysfs}; kgr status; cat /proc/cmdline`)).toMatch(/^ready\n.*console=/);
});
