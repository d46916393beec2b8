/** Packages for rpm that are nothing but their names: what ours ask of a system that here is not one of rpm. */
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

export interface StandIns {
  /** Releases of kernel-cloud-amd64 6.1.0, several of which may be installed at once. */
  readonly kernels: readonly string[];
  /** Whether the package for the system brings a shell for scriptlets, or there is one already. */
  readonly shell: boolean;
}

/** Writes an rpm repository of `standin-system` and the kernels. */
export async function makeStandIns(folder: string, { kernels, shell }: StandIns): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "kgraft-stand-ins-"));
  const links = ["sh", "cat", "stat", "readlink", "uname", "grep"].map(
    (name) => `ln -s busybox %{buildroot}/bin/${name}`,
  );
  const busybox = ["%install", "mkdir -p %{buildroot}/bin", "cp /bin/busybox %{buildroot}/bin/", ...links];
  try {
    await makeOne(
      work,
      ["Name: standin-system", "Version: 1", "Release: 1", "Provides: /bin/sh", "Provides: kmod"],
      {
        install: shell ? busybox : [],
        files: shell ? ["/bin/*"] : [],
      },
    );
    for (const release of kernels) {
      const names = ["Name: kernel-cloud-amd64", "Version: 6.1.0", `Release: ${release}`];
      await makeOne(work, [...names, "Provides: multiversion(kernel)"], { install: [], files: [] });
    }
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(join(work, "x86_64")))
      await copyFile(join(work, "x86_64", name), join(folder, name));
    await execa("createrepo_c", ["--quiet", folder]);
  } finally {
    await rm(work, { recursive: true });
  }
}

async function makeOne(
  work: string,
  head: readonly string[],
  { install, files }: { readonly install: readonly string[]; readonly files: readonly string[] },
): Promise<void> {
  const spec = join(work, "stand-in.spec");
  const common = ["Summary: stand-in", "License: GPL-2.0-only", "AutoReqProv: no", "%description", "x"];
  await writeFile(spec, [...head, ...common, ...install, "%files", ...files, ""].join("\n"));
  const defines = [`_topdir ${work}/rpmbuild`, `_rpmdir ${work}`, "__os_install_post %{nil}"];
  const words = ["-bb", "--quiet", "--target", "x86_64"];
  await execa("rpmbuild", [...words, ...defines.flatMap((one) => ["--define", one]), spec]);
}

/** The .repo file of that repository. */
export function standInsSetup(folder: string): string {
  return `[standins]\nname=standins\nbaseurl=file://${folder}\nenabled=1\ngpgcheck=0\n`;
}
