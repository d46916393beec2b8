/**
 * A machine that knows live patches by its own apt alone: from a signed repository it takes the initial one, the next,
 * the one before, none, and with a new kernel that kernel's.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelTree } from "@kgraft/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeMetapackage, makePackage, type PackageFile, type PublishRequest } from "../src/mod.ts";
import { type DebianMachine, makeMirror, served, startDebianMachine } from "./debian-machine.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  initialPatch,
  maintainer,
  signal,
  testKernel,
} from "./built.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";

const patchName = "kgraft-patch-6.1.0-54-cloud-amd64";
const next = { image: "linux-image-6.1.0-55-cloud-amd64", patch: "kgraft-patch-6.1.0-55-cloud-amd64" };
const sysfs = "/sys/kernel/livepatch";
let place: Scratch;
let key: string;
let kernels: { readonly old: KernelTree; readonly new: KernelTree };
let machine: DebianMachine;

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  kernels = { old: await testKernel("6.1.0-54-cloud-amd64"), new: await testKernel() };
  await publish([...(await initialPackages(kernels.old)), ...(await hostTool())]);
  machine = await startDebianMachine(kernels.old, join(place.path, "served"));
});
afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

/** Where packages are written, and who by. */
const request = (): { directory: string; formats: ["deb"]; maintainer: string; dateSeconds: number } => ({
  directory: join(place.path, "packages"),
  formats: ["deb"],
  maintainer,
  dateSeconds,
});

/** As each kernel of the distribution has them: its initial live patch, and what brings it. */
async function initialPackages(kernel: KernelTree): Promise<readonly PackageFile[]> {
  const { modulePath: module } = await initialPatch(
    join(place.path, kernel.release),
    "kgraft_patch_1_1",
    kernel,
  );
  const { files } = await makePackage({ ...request(), module }, { signal });
  return [...files, ...(await makeMetapackage({ ...request(), kernel }, { signal }))];
}

async function hostTool(): Promise<readonly PackageFile[]> {
  return hostToolPackages(request().directory, { formats: ["deb"] });
}

async function publish(files: readonly PackageFile[], more: Partial<PublishRequest> = {}): Promise<void> {
  const repository = join(place.path, "served/patches");
  await mkdir(repository, { recursive: true });
  const settings = { url: `${served}/patches` };
  await publishWith(
    [key],
    repository,
    files.map(({ path }) => path),
    { settings, ...more },
  );
}

/** Publishes a live patch of the old kernel that the probe hears. */
async function publishPatch(counter: number, text: string): Promise<void> {
  const name = `kgraft_patch_${counter}_1`;
  const { modulePath: module } = await cmdlinePatch(
    join(place.path, "built"),
    name,
    text,
    undefined,
    kernels.old,
  );
  await publish((await makePackage({ ...request(), module }, { signal })).files);
}

async function upgrade(...options: readonly string[]): Promise<string> {
  return machine.ok(`apt update && apt upgrade --yes ${options.join(" ")}`);
}

async function pin(lines: readonly string[]): Promise<void> {
  await writeFile(join(place.path, "served/preferences"), `${lines.join("\n")}\n`);
  await machine.ok("cp /share/preferences /etc/apt/preferences.d/kgraft");
}

test("apt install of the metapackage: tool and initial live patch, which is in force", async () => {
  await machine.ok("cp /share/patches/dists/stable/kgraft.sources /etc/apt/sources.list.d/");
  await machine.ok("apt update && apt install --yes kgraft-patch-cloud-amd64");
  expect(await machine.ok("kgr status; kgr patches")).toBe("ready\nkgraft_patch_1_1\n");
});

test("apt upgrade, twice: each next one takes the place, and no moment is unpatched", async () => {
  const heard = await machine.heardWhile(async () => {
    await publishPatch(2, "second");
    expect(await upgrade()).toContain(`Unpacking ${patchName} (2-1) over (1-1)`);
    await publishPatch(3, "third");
    await machine.ok("apt update");
    expect(await machine.ok("kgr -v -v patches")).toContain("\n    update available: 3-1\n");
    expect(await upgrade()).toContain(`Unpacking ${patchName} (3-1) over (2-1)`);
  });
  expect(heard).toEqual(["original", "second", "third"]);
  expect(await machine.ok(`kgr status; ls ${sysfs}`)).toBe("ready\nkgraft_patch_3_1\n");
});

test("apt install of the version before: the same the other way", async () => {
  const heard = await machine.heardWhile(async () => {
    await machine.ok(`apt install --yes --allow-downgrades ${patchName}=2-1`);
  });
  expect(heard).toEqual(["third", "second"]);
});

test("kgr downgrade: apt brings the version before, which takes the place", async () => {
  expect(await machine.ok("kgr downgrade --dry-run")).toBe(
    `kgraft_patch_2_1: would be downgraded by: /usr/bin/apt-get install -y --allow-downgrades ${patchName}=1-1\n`,
  );
  const heard = await machine.heardWhile(async () => {
    expect(await machine.ok("kgr downgrade --yes 2>/dev/null")).toBe("kgraft_patch_2_1: downgraded\n");
  });
  expect(heard).toEqual(["second", "original"]);
  expect(await machine.ok("kgr status; kgr patches")).toBe("ready\nkgraft_patch_1_1\n");
});

test("a pin keeps a machine on a version, and brings it back there; without it the newest comes", async () => {
  const pinned = [`Package: ${patchName}`, "Pin: version 2-1", "Pin-Priority: 1001"];
  await pin(pinned);
  await upgrade();
  expect(await machine.ok("cat /proc/cmdline")).toBe("second\n");
  await machine.ok("rm /etc/apt/preferences.d/kgraft");
  await upgrade();
  expect(await machine.ok("cat /proc/cmdline")).toBe("third\n");
  await pin(pinned);
  const heard = await machine.heardWhile(async () => {
    await upgrade("--allow-downgrades");
  });
  expect(heard).toEqual(["third", "second"]);
  await machine.ok("rm /etc/apt/preferences.d/kgraft");
  await upgrade();
  expect(await machine.ok("cat /proc/cmdline")).toBe("third\n");
});

test("a retracted one stays where it is, until what kgraft publish prints is done there", async () => {
  const advisory = "KGRAFT-6.1.0-54-cloud-amd64-3";
  await publish([], { retract: { advisory, reason: "it deadlocks" } });
  await upgrade();
  expect(await machine.ok("cat /proc/cmdline")).toBe("third\n");
  await pin([`Package: ${patchName}`, "Pin: version 3-1", "Pin-Priority: -1"]);
  const heard = await machine.heardWhile(async () => {
    await machine.ok(`apt install --yes --allow-downgrades ${patchName}=2-1`);
  });
  expect(heard).toEqual(["third", "second"]);
});

test("apt remove: in force until the next boot, which has none", async () => {
  expect(await machine.ok(`apt remove --yes ${patchName}`)).toContain(
    "kgraft_patch_2_1 stays in force until the next boot",
  );
  expect(await machine.ok("cat /proc/cmdline")).toBe("second\n");
  await machine.restart(kernels.old);
  expect(await machine.ok(`ls ${sysfs}; kgr status; cat /proc/cmdline`)).toMatch(/^ready\n.*console=/);
});

test("a new kernel: apt upgrade brings it with its initial live patch, which its first boot puts into force", async () => {
  await machine.ok("apt install --yes kgraft-patch-cloud-amd64");
  expect(await machine.ok("cat /proc/cmdline")).toBe("second\n");
  await makeMirror(join(place.path, "served/debian"), next.image, kernels.new.packageVersion);
  await machine.ok(`echo "deb [trusted=yes] ${served}/debian ./" >/etc/apt/sources.list`);
  await publish(await initialPackages(kernels.new));
  const said = await upgrade();
  for (const name of [next.image, next.patch]) expect(said).toContain(`Setting up ${name} (`);
  // The kernel that runs keeps its own.
  expect(await machine.ok("cat /proc/cmdline; kgr patches")).toBe("second\nkgraft_patch_2_1\n");
  await machine.restart(kernels.new);
  expect(await machine.ok("uname -r; kgr status; kgr patches")).toBe(
    `${kernels.new.release}\nready\nkgraft_patch_1_1\n`,
  );
  expect((await machine.ok("kgr -v patches")).split("\n")).toContain(`    RPM: ${next.patch}-1-1.amd64`);
}, 1_800_000); // dpkg takes minutes for a kernel in an emulated machine
