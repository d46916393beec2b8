/**
 * What it costs to publish one patch (a .deb and an .rpm) into a repository of so many, beside what the usual tools take
 * that look at all of it again: `createrepo_c --update` with its caching, and `apt-ftparchive packages` with `xz`; they
 * sign nothing. Each is the median of five patches. Then, in a guest, what a machine takes from `apt upgrade` to `ready`;
 * a guest is emulated, its times mean something only beside each other. With COUNT only repositories of so many are
 * measured, and the guest for 0.
 *
 *     scripts/bench.sh publish [COUNT...]
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { directoryStore, makeKey, openSigner, publish } from "@kgraft/release";
import { median } from "./median.ts";
import { applyTable, applyTimes } from "./publish/apply.ts";
import { makePackages } from "./publish/packages.ts";

const { signal } = new AbortController();
const given = process.argv.slice(2).map(Number);
const counts = given.length > 0 ? given : [10, 500, 5000, 0];
const rounds = 5;
const root = mkdtempSync(path.join(tmpdir(), "kgraft-publish-bench-"));
const passphrase = "bench";

interface Row {
  readonly patches: number;
  readonly publishMs: number;
  readonly createrepoMs: number;
  readonly ftparchiveMs: number;
}

try {
  const key = path.join(root, "key.asc");
  await makeKey({ userId: "Bench <bench@example.org>", path: key, passphrase, signal });
  await using signer = await openSigner({ keys: [key], passphrase, signal });
  const rows: Row[] = [];
  for (const patches of counts.filter((one) => one > 0)) rows.push(await measure(patches));
  if (rows.length > 0) print(rows);

  async function measure(patches: number): Promise<Row> {
    const folder = path.join(root, String(patches));
    const made = await makePackages(path.join(folder, "packages"), patches + rounds);
    const old = made.slice(0, patches);
    const news = made.slice(patches);
    const repository = path.join(folder, "repository");
    fill(repository, key, [...old.map(({ deb }) => deb), ...old.map(({ rpm }) => rpm)]);
    const request = { store: directoryStore(repository), channel: "stable", signer };
    const publishMs = await medianOf(news, ({ deb, rpm }) =>
      publish({ ...request, packages: [deb, rpm] }, { signal }),
    );
    // The usual tools, each in a folder of its own that they have seen before, with one package more each time.
    const ofRpm = path.join(folder, "createrepo");
    const createrepo = ["--quiet", "--update", "--no-database", "."];
    copyInto(
      ofRpm,
      old.map(({ rpm }) => rpm),
    );
    execFileSync("createrepo_c", createrepo, { cwd: ofRpm });
    const createrepoMs = await medianOf(news, ({ rpm }) => {
      copyInto(ofRpm, [rpm]);
      execFileSync("createrepo_c", createrepo, { cwd: ofRpm });
    });
    const ofDeb = path.join(folder, "ftparchive");
    copyInto(
      ofDeb,
      old.map(({ deb }) => deb),
    );
    const ftparchiveMs = await medianOf(news, ({ deb }) => {
      copyInto(ofDeb, [deb]);
      execFileSync("sh", ["-c", "apt-ftparchive packages . | xz > ../Packages.xz"], { cwd: ofDeb });
    });
    rmSync(folder, { recursive: true });
    return { patches, publishMs, createrepoMs, ftparchiveMs };
  }
} finally {
  rmSync(root, { recursive: true });
}
if (counts.includes(0)) console.log(`\n${applyTable(await applyTimes())}`);

async function medianOf<One>(all: readonly One[], work: (one: One) => unknown): Promise<number> {
  const times: number[] = [];
  for (const one of all) {
    const start = performance.now();
    await work(one);
    times.push(performance.now() - start);
  }
  return median(times);
}

function fill(repository: string, key: string, packages: readonly string[]): void {
  const list = `${repository}.list`;
  writeFileSync(list, packages.join("\n"));
  const script = path.join(import.meta.dirname, "publish/fill.ts");
  execFileSync(process.execPath, [script, repository, key, list], {
    env: { ...process.env, KGRAFT_KEY_PASSPHRASE: passphrase },
  });
}

function copyInto(folder: string, files: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  for (const file of files) copyFileSync(file, path.join(folder, path.basename(file)));
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
