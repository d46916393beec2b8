/**
 * The package of one live patch: the module and its manifest in the folder of the one kernel release they are for.
 *
 * Version is `COUNTER-REBUILD`, and the module's name ends in both, `kgraft_patch_2_1`: the kernel holds no two modules
 * of one name, so a new version could not otherwise be loaded while the old one is still in force, which is how it
 * replaces it without a gap. What the scriptlets do stands in the package `kgr` (etc/usr/lib/kgr/live-patch-package),
 * so that a fault in it is mended once for all patches.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type Manifest, manifestSchema } from "@kgraft/contract";
import type { ChangelogEntry } from "./changelog.ts";
import type { PackageDescription, PackageFile, PackageFormat, Scriptlets } from "./description.ts";
import { whyUnread } from "../unread.ts";
import { BadPackageInput } from "./errors.ts";
import { debVersion, patchPackageNames, type PatchVersion, rpmKernel } from "./naming.ts";
import type { Work } from "./run.ts";
import { writePackages } from "./write.ts";

/** What every request to make a package has. */
export interface PackageRequest {
  /** Where the packages go. */
  readonly directory: string;
  readonly formats: readonly PackageFormat[];
  /** `Name <mail address>`. */
  readonly maintainer: string;
  /** Seconds since 1970 that everything is dated by: same inputs, same bytes. */
  readonly dateSeconds: number;
}

/** Where a live patch stands among those of its kernel. */
interface Numbering {
  /** Taken from the module's name, `..._COUNTER_REBUILD`, where not given. */
  readonly version?: PatchVersion;
  /** The program temporary fix that it is of; see ptf.ts. */
  readonly ptf?: number;
}

export interface LivePatchPackageRequest extends PackageRequest, Numbering {
  /** Path of NAME.ko; its manifest NAME.json lies beside it. */
  readonly module: string;
  /** What the versions before changed, newest first. */
  readonly changelog?: readonly ChangelogEntry[];
  /**
   * What an rpm requires as the kernel; as `rpmKernel` says where not given, null for nothing.
   */
  readonly rpmKernel?: string | null;
}

/** The packages of one live patch, of both formats. */
export interface BuiltPackage {
  readonly files: readonly PackageFile[];
  /** Version and revision. */
  readonly version: string;
  readonly manifest: Manifest;
}

const manifestLimitBytes = 16 << 20;

/**
 * Packages a built live patch.
 *
 * @throws BadPackageInput where module, manifest and version do not fit together; PackageToolMissing,
 * PackageToolFailed; the signal's reason
 */
export async function makePackage(request: LivePatchPackageRequest, work: Work): Promise<BuiltPackage> {
  const { manifest, description } = await describeLivePatch(request);
  const files = await writePackages(description, request, work);
  return { files, version: `${description.version}-${description.revision}`, manifest };
}

/** What is to be packaged, checked. */
export async function describeLivePatch(
  request: LivePatchPackageRequest,
): Promise<{ readonly manifest: Manifest; readonly description: PackageDescription }> {
  const { manifest, manifestBytes, moduleBytes } = await readBuilt(request.module);
  const { name, kernel } = manifest;
  const { counter, revision } = versionOf(manifest, request);
  const names = patchPackageNames(kernel.release);
  const folder = `/usr/lib/modules/${kernel.release}/updates/kgraft`;
  const ofRpm = request.rpmKernel === undefined ? rpmKernel(kernel.release) : request.rpmKernel;
  const kernelOfRpm = ofRpm === null ? [] : ([["Requires", ofRpm]] as const);
  const entry = changelogEntry(manifest, `${counter}-${revision}`, request);
  const description: PackageDescription = {
    names,
    version: String(counter),
    revision,
    architecture: kernel.architecture,
    section: "kernel",
    summary: summaryOf(manifest),
    description: descriptionOf(manifest),
    deb: {
      Depends: `kgr, ${debKernel(kernel)}`,
      ...debFields(manifest),
    },
    rpm: [["Requires", "kgr"], ["Requires(post)", "kgr"], ...kernelOfRpm],
    files: [
      { path: `${folder}/${name}.ko`, source: moduleBytes },
      { path: `${folder}/${name}.json`, source: manifestBytes },
    ],
    links: [],
    folders: [folder],
    scriptlets: scriptletsOf(kernel.release, name),
    changelog: [entry, ...(request.changelog ?? [])],
    copyright: copyright(request.dateSeconds),
    license: "GPL-2.0-only",
    maintainer: request.maintainer,
    dateSeconds: request.dateSeconds,
  };
  return { manifest, description };
}

function copyright(dateSeconds: number): string {
  return `A live patch of the Linux kernel: replacement functions, compiled from the kernel's source with a change to it.

Copyright: 1991-${new Date(dateSeconds * 1000).getUTCFullYear()} the authors of the Linux kernel and of the change.
License: GPL-2, as the Linux kernel.

On Debian systems the text of the GNU General Public License, version 2, is in /usr/share/common-licenses/GPL-2.
`;
}

interface BuiltFiles {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly moduleBytes: Uint8Array;
}

/** The module and the manifest that is this very module's. */
async function readBuilt(path: string): Promise<BuiltFiles> {
  const manifestPath = path.replace(/\.ko$/, ".json");
  const [moduleBytes, manifestBytes] = (await Promise.all([path, manifestPath].map(readInput))) as [
    Buffer,
    Buffer,
  ];
  const manifest = readManifest(manifestBytes, manifestPath);
  const found = createHash("sha256").update(moduleBytes).digest("hex");
  if (basename(path) !== `${manifest.name}.ko` || found !== manifest.module.sha256) {
    throw new BadPackageInput(
      `cannot package ${path}: its manifest is of ${manifest.module.file} with SHA-256 ${manifest.module.sha256}, found ${found}`,
      "give the two files as kgraft build has written them",
    );
  }
  const release = moduleRelease(moduleBytes);
  if (release !== manifest.kernel.release) {
    throw new BadPackageInput(
      `cannot package ${path}: its manifest is of kernel ${manifest.kernel.release}, and the module itself of ${release ?? "none"}`,
      "give the two files as kgraft build has written them",
    );
  }
  return { manifest, manifestBytes, moduleBytes };
}

/** The release in the module's vermagic: nothing signs the manifest, and the kernel asks the module. */
function moduleRelease(moduleBytes: Buffer): string | undefined {
  const at = moduleBytes.indexOf("vermagic=");
  // A release has 64 characters at most (utsname).
  return /^vermagic=([!-~]+)/.exec(moduleBytes.toString("latin1", at, at + 80))?.[1];
}

async function readInput(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new BadPackageInput(
      `cannot read ${path}: ${whyUnread(cause)}`,
      "name NAME.ko as kgraft build wrote it, with NAME.json beside it",
      {
        cause,
      },
    );
  });
}

function readManifest(bytes: Buffer, path: string): Manifest {
  try {
    if (bytes.length > manifestLimitBytes) throw new Error(`it has ${bytes.length} bytes`);
    return manifestSchema.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    const [why = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n", 1);
    throw new BadPackageInput(
      `cannot read ${path}: it is no manifest of this version: ${why}`,
      "kgraft build writes it beside the module",
      {
        cause,
      },
    );
  }
}

/** @throws BadPackageInput where the module's name does not carry the version */
function versionOf(
  { name }: Manifest,
  { version, ptf }: Numbering,
): PatchVersion & { readonly revision: string } {
  const suffix = ptf === undefined ? "" : `_ptf${ptf}`;
  const [, counter, rebuild] = new RegExp(`_([1-9]\\d{0,5})_([1-9]\\d{0,5})${suffix}$`).exec(name) ?? [];
  if (counter === undefined) {
    throw new BadPackageInput(
      `cannot package ${name}: its name says no version, wanted one that ends in _COUNTER_REBUILD${suffix}, such as kgraft_patch_2_1${suffix}`,
      `build it with: kgraft build --name kgraft_patch_2_1${suffix} ...`,
    );
  }
  const named = { counter: Number(counter), rebuild: Number(rebuild) };
  const wanted = version ?? named;
  if (named.counter !== wanted.counter || named.rebuild !== wanted.rebuild) {
    throw new BadPackageInput(
      `cannot package ${name} as version ${debVersion(wanted)}: its name ends in another, wanted _${wanted.counter}_${wanted.rebuild}; the kernel holds no two modules of one name, so the version after it could not take its place`,
      `build it with: kgraft build --name kgraft_patch_${wanted.counter}_${wanted.rebuild} ...`,
    );
  }
  return { ...named, revision: ptf === undefined ? rebuild! : `${rebuild}.ptf${ptf}` }; // matched with the counter
}

export function isInitial({ functions }: Manifest): boolean {
  return functions.length === 0;
}

function changelogEntry(
  manifest: Manifest,
  version: string,
  { maintainer, dateSeconds, changelog = [] }: LivePatchPackageRequest,
): ChangelogEntry {
  const before = new Set(
    changelog.flatMap(({ changes }) => changes.map((change) => change.split(": ", 1)[0])),
  );
  // Cumulative: what an earlier version repaired is in this one too, and was told there.
  const fresh = manifest.fixes.filter(({ id }) => !before.has(id));
  const changes = fresh.map(({ id, title }) => (title === "" ? id : `${id}: ${title}`));
  const otherwise = isInitial(manifest)
    ? `Initial live patch of ${manifest.kernel.release}; it changes nothing`
    : `Live patch of ${manifest.kernel.release}, made anew`;
  return {
    version,
    changes: changes.length === 0 ? [otherwise] : changes,
    maintainer,
    dateSeconds,
    isSecurity: fresh.some(({ id }) => id.startsWith("CVE-")),
  };
}

function summaryOf({ kernel, ...manifest }: Manifest): string {
  const what = manifest.functions.length === 0 ? "initial live patch" : "live patch";
  return `${what} of Linux ${kernel.release}`;
}

function descriptionOf({ kernel, functions, fixes }: Manifest): readonly string[] {
  const about = `It is for Linux ${kernel.release} of package version ${kernel.packageVersion} and no other kernel. On the running kernel it takes effect when it is installed, without a restart.`;
  if (functions.length === 0) {
    return [
      "This is the first version, which replaces nothing: with it installed, each later live patch of this kernel is an update like any other.",
      about,
    ];
  }
  const number = functions.length === 1 ? "one function" : `${functions.length} functions`;
  const objects = placesOf([...new Set(functions.map(({ object }) => object))]);
  const repairs = fixes.length === 0 ? [] : [`It repairs ${repairsOf(fixes.map(({ id }) => id))}.`];
  return [`This live patch replaces ${number} of the running kernel (${objects}).`, ...repairs, about];
}

/** More names than this are no description any more: a whole update is in forty modules and has a hundred fixes. */
const mostNames = 8;

function placesOf(objects: readonly string[]): string {
  if (objects.length <= mostNames) return objects.join(", ");
  const modules = objects.filter((object) => object !== "vmlinux");
  return `${modules.length < objects.length ? "vmlinux and " : ""}${modules.length} modules`;
}

/** Each CVE by its number; of what has none, too many are counted. */
function repairsOf(ids: readonly string[]): string {
  if (ids.length <= mostNames) return ids.join(", ");
  const cves = ids.filter((id) => id.startsWith("CVE-"));
  const others = ids.length - cves.length;
  const rest = `${cves.length > 0 && others > 0 ? " and " : ""}${others > 0 ? `${others} other faults, which the changelog lists` : ""}`;
  return `${cves.join(", ")}${rest}`;
}

/** The very kernel package, signed or not. */
function debKernel({ release, packageVersion }: Manifest["kernel"]): string {
  return ["", "-unsigned"].map((kind) => `linux-image-${release}${kind} (= ${packageVersion})`).join(" | ");
}

/** Apt knows of no advisories: what a live patch repairs travels in fields of the package, for `apt show`. */
function debFields({ kernel, fixes }: Manifest): Readonly<Record<string, string>> {
  const ids = fixes.map(({ id }) => id).filter((id) => /^[\x21-\x7e]+$/.test(id));
  const cves = ids.filter((id) => id.startsWith("CVE-"));
  const others = ids.filter((id) => !id.startsWith("CVE-"));
  return {
    "Kgraft-Kernel": kernel.release,
    ...(cves.length > 0 && { "Kgraft-CVE": cves.join(" ") }),
    ...(others.length > 0 && { "Kgraft-Fixes": others.join(" ") }),
  };
}

/** Thin on purpose: what they call is the package kgr's. */
function scriptletsOf(release: string, name: string): Readonly<Record<PackageFormat, Scriptlets>> {
  const script = "/usr/lib/kgr/live-patch-package";
  const installed = `${script} installed ${release} ${name}`;
  // The tool may be on its way out as well.
  const removed = `if [ -x ${script} ]; then\n  ${script} removed ${release} ${name}\nfi`;
  return {
    deb: {
      afterInstall: `if [ "$1" = configure ]; then\n  ${installed}\nfi\n`,
      afterRemove: `if [ "$1" = remove ]; then\n  ${removed.replaceAll("\n", "\n  ")}\nfi\n`,
    },
    rpm: {
      afterInstall: `${installed}\n`,
      // 0 is removal, 1 an upgrade.
      afterRemove: `if [ "$1" = 0 ]; then\n  ${removed.replaceAll("\n", "\n  ")}\nfi\n`,
    },
  };
}
