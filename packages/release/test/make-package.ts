/** Small packages with a live patch's manifest in them, made by dpkg-deb and rpmbuild on the spot. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Manifest, ManifestFix } from "@kgraft/contract";
import { execa } from "execa";
import { patchPackageNames } from "../src/package/naming.ts";

export const release = "6.1.0-55-cloud-amd64";

export interface PackageWish {
  readonly release?: string;
  readonly counter: number;
  readonly rebuild?: number;
  readonly fixes?: readonly ManifestFix[];
  /** What else is in it, so that packages of one version can differ. */
  readonly salt?: string;
}

export const crash: ManifestFix = {
  id: "CVE-2026-1234",
  title: "ext4: fix a crash in mballoc",
  cvss: { vector: "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", score: 7.8 },
};

export function manifestOf({
  release: of = release,
  counter,
  fixes = counter > 1 ? [crash] : [],
}: PackageWish): Manifest {
  return {
    schema: "kgraft-manifest/1",
    name: `kgraft_patch_${counter}_1`,
    kernel: { release: of, packageVersion: "6.1.192-2", architecture: "amd64", buildId: "0123456789abcdef" },
    module: { file: `kgraft-patch-${counter}.ko`, sha256: "0".repeat(64), sizeBytes: 1 },
    fixes,
    functions: [],
    sources: [],
    compiler: "gcc (Debian 12.2.0-14+deb12u1) 12.2.0",
  };
}

export async function makeDeb(directory: string, wish: PackageWish): Promise<string> {
  const { release: of = release, counter, rebuild = 1, salt = "" } = wish;
  const name = patchPackageNames(of).deb;
  const root = join(directory, `root-${name}-${counter}-${rebuild}${salt}`);
  const file = join(directory, `${name}_${counter}-${rebuild}_amd64${salt}.deb`);
  await writeIn(root, "DEBIAN/control", [
    `Package: ${name}`,
    `Version: ${counter}-${rebuild}`,
    "Architecture: amd64",
    "Maintainer: Example live patches <patches@example.org>",
    `Description: live patch ${counter} of ${of}`,
    ` made for a test ${salt}`,
    "",
  ]);
  await writeIn(root, `lib/modules/${of}/updates/kgraft/patch.json`, [JSON.stringify(manifestOf(wish))]);
  await execa("dpkg-deb", ["--root-owner-group", "-Znone", "--build", root, file]);
  await rm(root, { recursive: true });
  return file;
}

export async function makeRpm(directory: string, wish: PackageWish): Promise<string> {
  const { release: of = release, counter, rebuild = 1, salt = "" } = wish;
  const name = patchPackageNames(of).rpm;
  const top = join(directory, `top-${name}-${counter}-${rebuild}${salt}`);
  await writeIn(top, "manifest.json", [JSON.stringify(manifestOf(wish))]);
  await writeIn(top, "patch.spec", [
    `Name: ${name}`,
    `Version: ${counter}`,
    `Release: ${rebuild}`,
    `Summary: live patch ${counter} of ${of}`,
    "License: GPL-2.0-or-later",
    "AutoReqProv: no",
    "%description",
    `made for a test ${salt}`,
    "%install",
    `mkdir -p %{buildroot}/lib/modules/${of}/updates/kgraft`,
    `cp ${top}/manifest.json %{buildroot}/lib/modules/${of}/updates/kgraft/patch.json`,
    "%files",
    `/lib/modules/${of}`,
    "%changelog",
    `* Wed Nov 25 2026 Example <patches@example.org> - ${counter}-${rebuild}`,
    "- CVE-2026-1234",
    "",
  ]);
  const defines = [
    `_topdir ${top}/rpmbuild`,
    `_rpmdir ${top}/out`,
    "_build_name_fmt %%{NAME}.rpm",
    "__os_install_post %{nil}",
  ];
  await execa("rpmbuild", [
    "-bb",
    "--quiet",
    "--target",
    "x86_64",
    ...defines.flatMap((one) => ["--define", one]),
    join(top, "patch.spec"),
  ]);
  const file = join(directory, `${name}-${counter}-${rebuild}.x86_64${salt}.rpm`);
  await rename(join(top, "out", `${name}.rpm`), file);
  await rm(top, { recursive: true });
  return file;
}

async function writeIn(root: string, path: string, lines: readonly string[]): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), lines.join("\n"));
}
