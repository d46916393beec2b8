/**
 * A program temporary fix: what one machine needs before the next regular live patch. It is a master package that is
 * installed only on request and leaves as a whole, and its members, which do not go without it. The capabilities are
 * SUSE's, so that zypper knows them: a master provides `ptf()`, a member `ptf-package()`.
 *
 * A member that is a live patch lies between two regular ones: 2-1 < 2-1.ptf1234 < 3-1. It needs no reboot, and because
 * the master is content with any later version, the next live patch applies over it. A member that is another base
 * kernel ends the chain of live patches: none is made for such a kernel. That is said when the PTF is made, in its
 * description, and before it is installed.
 */
import type { PackageDescription, PackageFile, PackageFormat, Scriptlets } from "./description.ts";
import { BadPackageInput } from "./errors.ts";
import { describeLivePatch, type PackageRequest } from "./live-patch.ts";
import type { Work } from "./run.ts";
import { writePackages } from "./write.ts";

/** A package that was made elsewhere. */
export interface OtherMember {
  readonly name: string;
  /** The exact version that the PTF is about. */
  readonly version: string;
}

export interface PtfRequest extends PackageRequest {
  /** The PTF's number, by which it is asked for: ptf-1234. */
  readonly number: number;
  readonly title: string;
  /** Paths of NAME.ko of live patches; each name ends in `_COUNTER_REBUILD_ptfNUMBER`. */
  readonly livePatches: readonly string[];
  readonly others: readonly OtherMember[];
  /** See `LivePatchPackageRequest`. */
  readonly rpmKernel?: string | null;
}

export interface BuiltPtf {
  /** The master first. */
  readonly files: readonly PackageFile[];
  /** What whoever makes it must know; also said to whoever installs it. */
  readonly warnings: readonly string[];
}

/** @throws BadPackageInput where there is no member; as makePackage */
export async function makePtf(request: PtfRequest, work: Work): Promise<BuiltPtf> {
  const { number, title, livePatches, others } = request;
  if (!Number.isInteger(number) || number < 1 || livePatches.length + others.length === 0) {
    throw new BadPackageInput(
      `cannot make ptf-${number}: it has ${livePatches.length + others.length} members, wanted a number and a live patch or another package`,
      "name a live patch with --patch, or a package with --package NAME=VERSION",
    );
  }
  const members: PackageDescription[] = [];
  for (const module of livePatches) {
    members.push(
      asMember((await describeLivePatch({ ...request, module, ptf: number })).description, number),
    );
  }
  const warnings = others
    .filter(({ name }) => isBaseKernel(name))
    .map(({ name }) => chainWarning(number, name));
  const master = masterOf(request, title, members, warnings);
  const files: PackageFile[] = [];
  for (const description of [master, ...members])
    files.push(...(await writePackages(description, request, work)));
  return { files, warnings };
}

/** The packages that a kernel itself is in, of Debian, SUSE, Fedora; not its headers, sources or live patches. */
export function isBaseKernel(name: string): boolean {
  return /^(?:linux-image-|linux-modules-|kernel(?:-core|-modules|-modules-core)?$|kernel-(?:default|rt|azure|preempt|64kb|cloud)(?:-|$))/.test(
    name,
  );
}

function chainWarning(number: number, name: string): string {
  return `ptf-${number} brings another kernel (${name}): it needs a reboot, and from then on no live patch applies; going back needs a reboot too`;
}

function asMember(description: PackageDescription, number: number): PackageDescription {
  const { deb, rpm } = description;
  return {
    ...description,
    summary: `${description.summary}, PTF ${number}`,
    deb: { ...deb, Provides: "ptf-package", Depends: `${deb["Depends"]}, ptf-${number}` },
    rpm: [...rpm, ["Provides", "ptf-package()"], ["Requires", `ptf-${number}`]],
  };
}

function masterOf(
  { number, maintainer, dateSeconds, others }: PtfRequest,
  title: string,
  members: readonly PackageDescription[],
  warnings: readonly string[],
): PackageDescription {
  const name = `ptf-${number}`;
  const needs = (format: PackageFormat): readonly (readonly [string, string, string])[] => [
    ...members.map(
      ({ names, version, revision }) => [names[format], ">=", `${version}-${revision}`] as const,
    ),
    ...others.map((other) => [other.name, "=", other.version] as const),
  ];
  const depends = needs("deb").map(([member, relation, version]) => `${member} (${relation} ${version})`);
  return {
    names: { deb: name, rpm: name },
    version: "1",
    revision: "1",
    architecture: members[0]?.architecture ?? "all",
    section: "kernel",
    summary: `program temporary fix ${number}`,
    description: [
      title,
      "This is a fix ahead of the regular updates, for the machines that were told to install it. It is installed and removed as a whole, by this metapackage.",
      ...warnings.map((warning) => `Attention: ${warning}.`),
    ],
    deb: { Provides: "ptf", Depends: depends.join(", ") },
    rpm: [["Provides", "ptf() = 1-1"], ...needs("rpm").map((need) => ["Requires", need.join(" ")] as const)],
    files: [],
    links: [],
    folders: [],
    scriptlets: { deb: warned(warnings, "install"), rpm: warned(warnings, "1") },
    changelog: [{ version: "1-1", changes: [title], maintainer, dateSeconds, isSecurity: false }],
    copyright: "A package without contents, in the public domain.\n",
    license: "CC0-1.0",
    maintainer,
    dateSeconds,
  };
}

/** Said before anything is unpacked, where it is the first installation. */
function warned(warnings: readonly string[], first: string): Scriptlets {
  if (warnings.length === 0) return {};
  const lines = warnings.map((warning) => `  echo 'kgr: WARNING: ${warning.replaceAll("'", "'\\''")}' >&2\n`);
  return { beforeInstall: `if [ "$1" = ${first} ]; then\n${lines.join("")}fi\n` };
}
