/**
 * What it costs to publish one patch (a .deb and an .rpm) into a repository of so many, beside what the usual tools take
 * that look at all of it again: `createrepo_c --update` with its caching, and `apt-ftparchive packages` with `xz`.
 * Then, in a guest, what a machine takes from `apt upgrade` to `ready`; a guest is emulated, its times mean something
 * only beside each other. With COUNT only repositories of so many are measured, and the guest for 0.
 *
 *     scripts/bench.sh publish [COUNT...]
 *
 * Packages are real: dpkg-deb makes each .deb, one run of rpmbuild makes the .rpms as packages of one spec file.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { directoryStore, makeKey, openSigner, publish } from "@kgraft/release";
import { applyTable, applyTimes } from "./publish/apply.ts";

const { signal } = new AbortController();
const given = process.argv.slice(2).map(Number);
const counts = given.length > 0 ? given : [10, 500, 5000, 0];
const root = mkdtempSync(path.join(tmpdir(), "kgraft-publish-bench-"));

interface Row {
  readonly patches: number;
  readonly publishMs: number;
  readonly createrepoMs: number;
  readonly ftparchiveMs: number;
}

try {
  const key = path.join(root, "key.asc");
  await makeKey({ userId: "Bench <bench@example.org>", path: key, passphrase: "bench", signal });
  await using signer = await openSigner({ keys: [key], passphrase: "bench", signal });
  const rows: Row[] = [];
  for (const patches of counts.filter((one) => one > 0)) rows.push(await measure(patches));
  if (rows.length > 0) print(rows);

  async function measure(patches: number): Promise<Row> {
    const folder = path.join(root, String(patches));
    const { debs, rpms } = makePackages(folder, patches + 1);
    const last = [debs.at(-1)!, rpms.at(-1)!]; // at least one was made
    const store = directoryStore(path.join(folder, "repository"));
    const request = { store, channel: "stable", signer };
    await publish({ ...request, packages: [...debs.slice(0, -1), ...rpms.slice(0, -1)] }, { signal });
    const publishMs = await timed(async () => publish({ ...request, packages: last }, { signal }));
    // The usual tools, each in a folder of its own that they have seen before, with one package more.
    const ofRpm = path.join(folder, "createrepo");
    copyInto(ofRpm, rpms.slice(0, -1));
    const createrepo = ["--quiet", "--update", "--no-database", "."];
    execFileSync("createrepo_c", createrepo, { cwd: ofRpm });
    copyInto(ofRpm, rpms.slice(-1));
    const createrepoMs = await timed(() => execFileSync("createrepo_c", createrepo, { cwd: ofRpm }));
    const ofDeb = path.join(folder, "ftparchive");
    copyInto(ofDeb, debs);
    const listing = "apt-ftparchive packages . | xz > ../Packages.xz";
    const ftparchiveMs = await timed(() => execFileSync("sh", ["-c", listing], { cwd: ofDeb }));
    rmSync(folder, { recursive: true });
    return { patches, publishMs, createrepoMs, ftparchiveMs };
  }
} finally {
  rmSync(root, { recursive: true });
}
if (counts.includes(0)) console.log(`\n${applyTable(await applyTimes())}`);

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function copyInto(folder: string, files: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  for (const file of files) copyFileSync(file, path.join(folder, path.basename(file)));
}

function makePackages(
  folder: string,
  count: number,
): { readonly debs: readonly string[]; readonly rpms: readonly string[] } {
  const names = Array.from({ length: count }, (_, at) => `kgraft-patch-6.1.0-${at}-cloud-amd64`);
  const out = path.join(folder, "packages");
  mkdirSync(out, { recursive: true });
  const control = path.join(folder, "deb/DEBIAN/control");
  mkdirSync(path.dirname(control), { recursive: true });
  for (const name of names) {
    writeFileSync(
      control,
      `Package: ${name}\nVersion: 2-1\nArchitecture: amd64\nMaintainer: Bench <bench@example.org>\nDescription: a live patch\n for a measurement\n`,
    );
    execFileSync("dpkg-deb", ["-Znone", "--build", path.join(folder, "deb"), path.join(out, `${name}.deb`)]);
  }
  const spec = path.join(folder, "bench.spec");
  const parts = names.map(
    (name) => `%package -n ${name}\nSummary: x\n%description -n ${name}\ny\n%files -n ${name}\n`,
  );
  writeFileSync(
    spec,
    `Name: bench\nVersion: 2\nRelease: 1\nSummary: x\nLicense: GPL-2.0-only\nAutoReqProv: no\n%description\ny\n${parts.join("")}`,
  );
  const defines = [`_topdir ${folder}/rpmbuild`, `_rpmdir ${out}`, "_build_name_fmt %%{NAME}.rpm"];
  execFileSync("rpmbuild", [
    "-bb",
    "--quiet",
    "--target",
    "x86_64",
    ...defines.flatMap((one) => ["--define", one]),
    spec,
  ]);
  const made = readdirSync(out)
    .toSorted()
    .map((name) => path.join(out, name));
  return {
    debs: made.filter((name) => name.endsWith(".deb")),
    rpms: made.filter((name) => name.endsWith(".rpm")),
  };
}

function print(rows: readonly Row[]): void {
  console.log(
    `${"patches".padStart(8)}${"publish one, ms".padStart(18)}${"createrepo_c --update".padStart(24)}${"apt-ftparchive, xz".padStart(22)}${"ratio".padStart(8)}`,
  );
  for (const { patches, publishMs, createrepoMs, ftparchiveMs } of rows) {
    console.log(
      String(patches).padStart(8) +
        publishMs.toFixed(0).padStart(18) +
        createrepoMs.toFixed(0).padStart(24) +
        ftparchiveMs.toFixed(0).padStart(22) +
        ((createrepoMs + ftparchiveMs) / publishMs).toFixed(2).padStart(8),
    );
  }
}
