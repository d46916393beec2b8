/**
 * What a package of a live patch is called: after the kernel release that it is for, so that each release has a
 * package of its own and each later patch is an update of it.
 *
 * SUSE's scheme, which rpm takes as it is: `kgraft-patch-3_12_32-25-default` for release 3.12.32-25-default. Debian's
 * policy allows no underscore in a package's name (5.6.1: lower case letters, digits, `+`, `-`, `.`), and dpkg-deb
 * refuses one; there the release stands as it is, `kgraft-patch-6.1.0-55-cloud-amd64`, which is also how Debian names
 * its own packages of that kernel, `linux-image-6.1.0-55-cloud-amd64` (docs/adr/0013).
 */
import { BadPackageInput } from "./errors.ts";

/** Which patch for one kernel release: 1 is the initial one, each later one is cumulative. */
export interface PatchVersion {
  /** Counts the live patches of one release, from 1. */
  readonly counter: number;
  /** Counts the packages made of one live patch, from 1. */
  readonly rebuild: number;
}

export interface PatchPackageNames {
  readonly deb: string;
  readonly rpm: string;
}

/** The packages' names for a kernel release, as `uname -r` prints it. @throws BadPackageInput */
export function patchPackageNames(release: string): PatchPackageNames {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/.test(release)) {
    throw new BadPackageInput(
      `cannot name a package for kernel ${JSON.stringify(release)}: wanted a release as uname -r prints it`,
      "type: uname -r, on a machine that runs the kernel",
    );
  }
  return {
    deb: `kgraft-patch-${release.toLowerCase().replace(/[^a-z0-9+.-]/g, "-")}`,
    rpm: `kgraft-patch-${release.replaceAll(".", "_")}`,
  };
}

/** `COUNTER-REBUILD`, which both package managers compare number by number. */
export function debVersion({ counter, rebuild }: PatchVersion): string {
  return `${counter}-${rebuild}`;
}

/** Whether a package's version is a PTF's, such as 2-1.ptf1234: not of the line that every machine follows. */
export function isOfPtf(version: string): boolean {
  return /\.ptf\d+$/.test(version);
}

/**
 * The kind of kernel that a release is of, which its metapackages are named after: `cloud-amd64` of
 * 6.1.0-55-cloud-amd64, `amd64` of 6.12.48+deb13-amd64, `default` of 3.12.32-25-default. @throws BadPackageInput
 */
export function flavourOf(release: string): string {
  const flavour = /^\d+(?:\.\d+)*[^-]*(?:-\d[^-]*)*-([A-Za-z][A-Za-z0-9_-]*)$/.exec(release)?.[1];
  if (flavour === undefined) {
    throw new BadPackageInput(
      `cannot name a metapackage for kernel ${release}: found no flavour at its end, wanted one such as cloud-amd64`,
      "a kernel without flavours needs no metapackage: install the live patch's package itself",
    );
  }
  return flavour;
}

/**
 * What an rpm of a kernel provides, as a live patch requires it. SUSE's kernel of 3.12.32-25-default is the package
 * kernel-default, version 3.12.32-25; Fedora's and its relatives' provide `kernel-uname-r` with the whole release, which
 * has one `-`, as versions in rpm must.
 */
export function rpmKernel(release: string): string {
  const [, version, flavour] = /^([^-]+-[^-]+)-(.+)$/.exec(release) ?? [];
  return version === undefined ? `kernel-uname-r = ${release}` : `kernel-${flavour} = ${version}`;
}
