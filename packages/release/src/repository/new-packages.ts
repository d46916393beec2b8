/** The packages of one publication that are not there yet: read, checked, signed, and as entries of the indexes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "@kgraft/contract";
import type { Signer } from "../keys/gnupg.ts";
import { advisoryId, counterOf, wantsAdvisory } from "../advisory/make-advisory.ts";
import { isOfPtf, patchPackageNames } from "../package/naming.ts";
import { type Entry, sha256 } from "./blocks.ts";
import { debEntries, type NewFile, rpmEntries } from "./entries.ts";
import { PackageUnfit } from "./errors.ts";
import type { LedgerPackage } from "./ledger.ts";
import { type PackageFile, readPackage } from "./package-file.ts";
import type { PublishOptions } from "./progress.ts";
import { checkRpmSignatures, type SignedRpm } from "./rpm-keyring.ts";
import { signRpms } from "./sign-rpm.ts";

export interface NewPackage {
  readonly record: LedgerPackage;
  readonly file: string;
  /** Where its bytes are. */
  readonly copy: string;
  readonly manifest: Manifest | undefined;
  readonly entry: Entry;
}

export interface NewPackagesRequest {
  readonly paths: readonly string[];
  readonly known: readonly LedgerPackage[];
  readonly channel: string;
  /** Takes the copies. */
  readonly directory: string;
  readonly signer: Signer;
  /** Fingerprint of the key that signs packages. */
  readonly packageKey: string;
  /** All keys that rpm clients are offered, armored. */
  readonly keys: readonly string[];
  /** Seconds since 1970. */
  readonly time: number;
}

export interface NewPackages {
  readonly added: readonly NewPackage[];
  /** Paths of what is there already. */
  readonly unchanged: readonly string[];
}

/** How many packages are read at once: each is a few short-lived processes. */
const parallel = 4;

/** @throws PackageUnfit */
export async function newPackages(
  request: NewPackagesRequest,
  options: PublishOptions,
): Promise<NewPackages> {
  const { paths, known, channel, directory, signer, packageKey, keys } = request;
  const { signal } = options;
  const files = await readAll(paths, directory, options);
  const byPath = new Map(known.map((one) => [one.path, one]));
  const fresh = new Map<string, PackageFile>();
  const unchanged: string[] = [];
  const signed: SignedRpm[] = [];
  for (const [at, one] of files.entries()) {
    const path = poolPath(channel, one);
    const there = byPath.get(path) ?? fresh.get(path);
    if (there === undefined) {
      fresh.set(path, one);
      if (one.isSigned) signed.push({ path: paths[at] ?? path, copy: one.copy });
    } else if (there.sha256 === one.sha256 || ("source" in there && there.source === one.sha256))
      unchanged.push(paths[at] ?? path);
    else {
      throw new PackageUnfit(
        `cannot publish ${paths[at]}: ${one.name} ${one.version} is there already, with other contents`,
        "give the package a new version: what machines have installed must not change under its name",
      );
    }
  }
  await checkRpmSignatures(signed, keys, signal);
  const unsigned = [...fresh.values()].filter(({ format, isSigned }) => format === "rpm" && !isSigned);
  await signRpms(
    unsigned.map(({ copy }) => copy),
    signer,
    packageKey,
    signal,
  );
  const news = [...fresh].map(([path, one]) => ({ path, one }));
  return { added: await describePackages(news, request, signal), unchanged };
}

export interface CheckedPackage {
  /** From the repository's root. */
  readonly path: string;
  readonly one: PackageFile;
}

/** Packages as the ledger and the indexes have them. Their copies are moved. */
export async function describePackages(
  news: readonly CheckedPackage[],
  { directory, time }: Pick<NewPackagesRequest, "directory" | "time">,
  signal: AbortSignal,
): Promise<readonly NewPackage[]> {
  const of = (format: "deb" | "rpm"): readonly NewFile[] =>
    news
      .filter(({ one }) => one.format === format)
      .map(({ path, one }) => ({ path, file: one.file, copy: one.copy }));
  const described = await Promise.all([
    debEntries(of("deb"), directory, signal),
    rpmEntries(of("rpm"), directory, signal),
  ]);
  const entries = new Map(described.flat().map((entry) => [entry.member, entry]));
  const added: NewPackage[] = [];
  for (const { path, one } of news) {
    const copy = join(directory, one.format, one.file);
    added.push({
      record: await recordOf(path, copy, one, time),
      file: one.file,
      copy,
      manifest: one.manifest,
      entry: entries.get(path)!, // each of the two functions gives one for each file
    });
  }
  return added;
}

async function readAll(
  paths: readonly string[],
  directory: string,
  { signal, onProgress }: PublishOptions,
): Promise<readonly PackageFile[]> {
  const files: PackageFile[] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < paths.length; at = next++) {
      files[at] = await readPackage(paths[at]!, directory, signal); // under the length
      onProgress?.({ stage: "read", doneBytes: ++done, totalBytes: paths.length });
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, paths.length) }, worker));
  return files;
}

/** From the repository's root. Each channel has its own files, so that one can be cleaned without the others. */
export function poolPath(channel: string, { format, name, file }: PackageFile): string {
  return format === "deb" ? `pool/${channel}/${name}/${file}` : `rpm/${channel}/Packages/${file}`;
}

async function recordOf(path: string, copy: string, one: PackageFile, time: number): Promise<LedgerPackage> {
  const bytes = await readFile(copy);
  const { format, name, version, architecture } = one;
  const hash = sha256(bytes);
  return {
    format,
    name,
    version,
    architecture,
    path,
    sizeBytes: bytes.length,
    sha256: hash,
    ...(hash !== one.sha256 && { source: one.sha256 }),
    added: time,
    ...advisoryOf(one),
  };
}

/**
 * A live patch of the cumulative line has an advisory; a PTF, made for one user, has none: zypper patch would want its
 * member wherever a lower version is, and be refused the master, which does not come unasked.
 */
function advisoryOf({ format, name, version, manifest }: PackageFile): Pick<LedgerPackage, "advisory"> {
  const release = manifest?.kernel.release ?? "";
  const counter = counterOf(version);
  if (manifest === undefined || counter === 0 || name !== patchPackageNames(release)[format]) return {};
  if (isOfPtf(version)) return {};
  return wantsAdvisory(manifest, counter) ? { advisory: advisoryId(release, counter) } : {};
}
