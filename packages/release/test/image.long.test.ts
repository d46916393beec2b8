/** Images of machines, built on this one: mmdebstrap and rpm bring live patches into them, and nothing is loaded. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aptSources } from "@kgraft/kernel";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makePackage, type PackageFile } from "../src/mod.ts";
import { dateSeconds, hostToolPackages, initialPatch, maintainer, signal } from "./built.ts";
import { release } from "./make-package.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve } from "./serve.ts";
import { makeStandIns } from "./stand-ins.ts";

const folder = `usr/lib/modules/${release}/updates/kgraft`;
const said = "kgr: kgraft_patch_1_1 is installed and not loaded: this is an image, a chroot or a container";
const files = ["kgraft_patch_1_1.json", "kgraft_patch_1_1.ko"];

let place: Scratch;
let packages: readonly PackageFile[];

beforeAll(async () => {
  place = await scratch();
  const directory = join(place.path, "packages");
  const request = { directory, formats: ["deb", "rpm"], maintainer, dateSeconds } as const;
  const { modulePath: module } = await initialPatch(join(place.path, "built"));
  packages = [
    ...(await hostToolPackages(directory)),
    ...(await makePackage({ ...request, module }, { signal })).files,
  ];
});
afterAll(() => place?.[Symbol.asyncDispose]());

function paths(format: "deb" | "rpm"): readonly string[] {
  return packages.filter((one) => one.format === format).map(({ path }) => path);
}

test("mmdebstrap takes a live patch with its kernel from a signed repository", async () => {
  const key = await newKey(join(place.path, "key.asc"));
  await mkdir(place.repository);
  await using served = await serve(place.repository);
  await publishWith([key], place.repository, paths("deb"), { settings: { url: served.url } });
  const debian = join(place.path, "debian.list");
  await writeFile(debian, await aptSources("bookworm"));
  // With the key in it, as machines take it.
  const ours = join(place.repository, "dists/stable/kgraft.sources");
  const image = join(place.path, "image.tar");
  const include = `--include=kgraft-patch-${release}`;
  // An initramfs takes a minute, and nobody starts this one.
  const lean =
    "--essential-hook=mkdir -p $1/etc/initramfs-tools; echo update_initramfs=no >$1/etc/initramfs-tools/update-initramfs.conf";
  const words = [
    "--verbose",
    "--variant=apt",
    include,
    lean,
    "--dpkgopt=force-confold",
    "bookworm",
    image,
    debian,
    ours,
  ];
  const { all } = await execa("mmdebstrap", words, {
    all: true,
    stdin: "ignore",
    timeout: 400_000,
    env: { no_proxy: "127.0.0.1" },
  });
  expect(all).toContain(said);
  const { stdout } = await execa("tar", ["--list", "--file", image, "--wildcards", `./${folder}/*`]);
  expect(stdout.split("\n").toSorted()).toEqual(files.map((name) => `./${folder}/${name}`));
});

test("rpm --root takes a live patch with its kernel into a folder", async () => {
  await makeStandIns(join(place.path, "standins"), { kernels: ["55"], shell: true });
  const standIns = (await readdir(join(place.path, "standins"))).filter((name) => name.endsWith(".rpm"));
  const root = join(place.path, "root");
  await mkdir(root);
  const rpm = ["--root", root, "--dbpath", "/var/lib/rpm", "--install", "--nosignature"];
  await execa("rpm", [...rpm, ...standIns.map((name) => join(place.path, "standins", name))]);
  const { all } = await execa("rpm", [...rpm, ...paths("rpm")], { all: true });
  expect(all).toContain(said);
  expect((await readdir(join(root, folder))).toSorted()).toEqual(files);
});
