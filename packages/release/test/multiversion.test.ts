/**
 * zypper with several kernels at once, as SLE and openSUSE are set up: each kernel comes with its live patches and goes
 * with them; and program temporary fixes, which come and go on request alone. The packages are ours as they are made;
 * stand-ins without contents are the kernels, and what of a system their scriptlets need.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelTree } from "@kgraft/kernel";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeMetapackage, makePackage, makePtf, type PackageFile } from "../src/mod.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  initialPatch,
  maintainer,
  signal,
  testKernel,
} from "./built.ts";
import { type Client, zypperClient } from "./clients.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";
import { makeStandIns, standInsSetup } from "./stand-ins.ts";

const patch = "kgraft-patch-6_1_0-55-cloud-amd64";
const formats = ["rpm"] as const;
let place: Scratch;
let served: Served;
let key: string;
let root: string;
let zypper: Client;
let kernels: { readonly old: KernelTree; readonly new: KernelTree };

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  served = await serve(place.repository);
  kernels = { old: await testKernel("6.1.0-54-cloud-amd64"), new: await testKernel() };
  await publish([
    ...(await initialPackages(kernels.old)),
    ...(await hostToolPackages(at("packages"), { formats })),
  ]);
  root = at("root");
  zypper = await zypperClient(root, served.url);
  await makeStandIns(at("standins"), { kernels: ["54", "55"], shell: true });
  await mkdir(join(root, "etc/zypp/repos.d"), { recursive: true });
  await writeFile(join(root, "etc/zypp/repos.d/standins.repo"), standInsSetup(at("standins")));
  await writeFile(join(root, "etc/zypp/zypp.conf"), "[main]\nmultiversion = provides:multiversion(kernel)\n");
  await ok("--gpg-auto-import-keys", "refresh");
  await ok("install", "standin-system");
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

function at(name: string): string {
  return join(place.path, name);
}

const request = (): {
  directory: string;
  formats: typeof formats;
  maintainer: string;
  dateSeconds: number;
} => ({
  directory: at("packages"),
  formats,
  maintainer,
  dateSeconds,
});

async function initialPackages(kernel: KernelTree): Promise<readonly PackageFile[]> {
  const { modulePath: module } = await initialPatch(at(kernel.release), "kgraft_patch_1_1", kernel);
  const { files } = await makePackage({ ...request(), module }, { signal });
  return [...files, ...(await makeMetapackage({ ...request(), kernel }, { signal }))];
}

async function publish(files: readonly PackageFile[]): Promise<void> {
  const paths = files.map(({ path }) => path);
  await publishWith([key], place.repository, paths, { settings: { url: served.url } });
}

async function ok(...words: readonly string[]): Promise<string> {
  const { code, text } = await zypper(...words);
  expect({ words, code, text }).toEqual({ words, code: 0, text: expect.any(String) });
  return text;
}

/** Names and versions of what is installed, but for the stand-in of the system. */
async function installed(): Promise<readonly string[]> {
  const query = [
    "--root",
    root,
    "--dbpath",
    "/var/lib/rpm",
    "-qa",
    "--qf",
    "%{NAME} %{VERSION}-%{RELEASE}\\n",
  ];
  const { stdout } = await execa("rpm", query);
  return stdout
    .split("\n")
    .filter((line) => !/^(?:standin-system|gpg-pubkey|kgr) /.test(line))
    .toSorted();
}

const ofOld = [
  "kernel-cloud-amd64 6.1.0-54",
  "kgraft-patch-6_1_0-54-cloud-amd64 1-1",
  "kgraft-patch-cloud-amd64 6.1.190-1",
];
const ofNew = ["kernel-cloud-amd64 6.1.0-55", `${patch} 1-1`, "kgraft-patch-cloud-amd64 6.1.192-1"];

describe("kernels side by side", () => {
  test("with kgr installed a kernel brings its initial live patch by itself", async () => {
    await ok("install", "kgr", "kernel-cloud-amd64=6.1.0-54");
    expect(await installed()).toEqual(ofOld);
  });

  test("the next kernel comes beside it, with its own", async () => {
    await publish(await initialPackages(kernels.new));
    await ok("refresh");
    await ok("update");
    expect(await installed()).toEqual([...ofOld, ...ofNew].toSorted());
  });

  test("a kernel that goes takes its own along, and leaves the other's", async () => {
    await ok("remove", "kernel-cloud-amd64-6.1.0-54");
    expect(await installed()).toEqual(ofNew);
  });
});

describe("a program temporary fix", () => {
  const withPtf = [
    ...ofNew.map((one) => one.replace(`${patch} 1-1`, `${patch} 2-1.ptf1234`)),
    "ptf-1234 1-1",
  ].toSorted();

  test("does not come unasked", async () => {
    const ofPtf = (await cmdlinePatch(at("built"), "kgraft_patch_2_1_ptf1234", "ptf")).modulePath;
    const ptf = { number: 1234, title: "cmdline: say ptf", livePatches: [ofPtf], others: [] };
    await publish((await makePtf({ ...request(), ...ptf }, { signal })).files);
    await ok("refresh");
    await ok("update");
    await ok("patch");
    expect(await installed()).toEqual(ofNew);
  });

  test("comes on request, with its members", async () => {
    await ok("install", "ptf-1234");
    expect(await installed()).toEqual(withPtf);
  });

  test("is taken back as a whole, its members replaced by the regular ones", async () => {
    // What zypper removeptf does in one word, where zypper has it.
    await ok("install", "--oldpackage", "--", "-ptf-1234", `${patch}=1-1`);
    expect(await installed()).toEqual(ofNew);
  });

  test("removed without a regular one, takes its members along", async () => {
    await ok("install", "ptf-1234");
    await ok("remove", "ptf-1234");
    expect((await installed()).filter((line) => /^(?:ptf|kgraft-patch-6)/.test(line))).toEqual([]);
  });

  test("one that brings another kernel says what that means, when zypper installs it", async () => {
    const others = [{ name: "kernel-cloud-amd64", version: "6.1.0-54" }];
    const ptf = { number: 1235, title: "scheduler: fix a hang", livePatches: [], others };
    await publish((await makePtf({ ...request(), ...ptf }, { signal })).files);
    await ok("refresh");
    expect(await ok("install", "ptf-1235")).toMatch(
      /kgr: WARNING: ptf-1235 brings another kernel \(kernel-cloud-amd64\): .* no live patch applies/,
    );
    await ok("remove", "ptf-1235");
    await ok("remove", "kernel-cloud-amd64-6.1.0-54");
  });

  test("the next regular live patch applies over it", async () => {
    await ok("install", "ptf-1234");
    const next = (
      await cmdlinePatch(at("built"), "kgraft_patch_3_1", "third", [{ id: "CVE-2026-0003", title: "" }])
    ).modulePath;
    await publish((await makePackage({ ...request(), module: next }, { signal })).files);
    await ok("refresh");
    await ok("update");
    expect(await installed()).toEqual(expect.arrayContaining([`${patch} 3-1`, "ptf-1234 1-1"]));
  });
});
