/**
 * As many packages as there are patches in a large repository: small, but live patches by all that their readers look
 * at, with a manifest in each. dpkg-deb makes the .debs, as many at once as there are processors; one run of rpmbuild
 * makes all .rpms, as packages of one spec file.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { manifestOf } from "../../packages/release/test/make-package.ts";

export interface PatchPackages {
  readonly deb: string;
  readonly rpm: string;
}

const run = promisify(execFile);

/** One live patch for each of so many kernels. @param folder takes the packages */
export async function makePackages(folder: string, count: number): Promise<readonly PatchPackages[]> {
  const releases = Array.from({ length: count }, (_, at) => `6.1.0-${at + 1}-cloud-amd64`);
  const work = await mkdtemp(join(tmpdir(), "kgraft-bench-packages-"));
  try {
    await mkdir(folder, { recursive: true });
    const left = releases.values();
    const workers = Array.from({ length: availableParallelism() }, async (_, at) => {
      for (const release of left) await makeDeb(join(work, `deb-${at}`), release, folder);
    });
    await Promise.all([...workers, makeRpms(work, releases, folder)]);
    return releases.map((release) => ({
      deb: join(folder, `${release}.deb`),
      rpm: join(folder, `${nameOfRpm(release)}.rpm`),
    }));
  } finally {
    await rm(work, { recursive: true });
  }
}

function nameOfRpm(release: string): string {
  return `kgraft-patch-${release.replaceAll(".", "_")}`;
}

/** Of the kernel that a package made here is for. */
export function releaseOf(path: string): string {
  return basename(path)
    .replace(/^kgraft-patch-|\.(deb|rpm)$/g, "")
    .replaceAll("_", ".");
}

async function makeDeb(tree: string, release: string, folder: string): Promise<void> {
  await rm(join(tree, "usr"), { recursive: true, force: true });
  await writeIn(tree, "DEBIAN/control", [
    `Package: kgraft-patch-${release}`,
    "Version: 2-1",
    "Architecture: amd64",
    "Maintainer: Bench <bench@example.org>",
    "Description: a live patch",
    " for a measurement",
  ]);
  await writeIn(tree, manifestPath(release), [JSON.stringify(manifestOf({ release, counter: 2 }))]);
  const file = join(folder, `${release}.deb`);
  await run("dpkg-deb", ["--root-owner-group", "-Znone", "--build", tree, file]);
}

async function makeRpms(work: string, releases: readonly string[], folder: string): Promise<void> {
  for (const release of releases) {
    const manifest = [JSON.stringify(manifestOf({ release, counter: 2 }))];
    await writeIn(join(work, "files"), manifestPath(release), manifest);
  }
  const parts = releases.flatMap((release) => {
    const name = nameOfRpm(release);
    const head = [`%package -n ${name}`, "Summary: x", `%description -n ${name}`, "y"];
    return [...head, `%files -n ${name}`, `/${manifestPath(release)}`];
  });
  const common = ["Name: bench", "Version: 2", "Release: 1", "Summary: x", "License: GPL-2.0-only"];
  const install = ["%install", "mkdir -p %{buildroot}", `cp -r ${work}/files/. %{buildroot}/`];
  const spec = [...common, "AutoReqProv: no", "%description", "y", ...install, ...parts];
  await writeIn(work, "bench.spec", spec);
  const out = join(work, "out");
  const defines = [
    `_topdir ${work}/rpmbuild`,
    `_rpmdir ${out}`,
    "_build_name_fmt %%{NAME}.rpm",
    "__os_install_post %{nil}",
  ].flatMap((one) => ["--define", one]);
  const words = ["-bb", "--quiet", "--target", "x86_64", ...defines, join(work, "bench.spec")];
  await run("rpmbuild", words, { maxBuffer: 64 << 20 });
  const made = (await readdir(out)).map((name) => join(out, name));
  await run("mv", ["--target-directory", folder, ...made]);
}

function manifestPath(release: string): string {
  return `usr/lib/modules/${release}/updates/kgraft/patch.json`;
}

async function writeIn(root: string, path: string, lines: readonly string[]): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), `${lines.join("\n")}\n`);
}
