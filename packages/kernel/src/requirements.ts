/**
 * What this room needs of a Debian machine beyond what every one has (dpkg, apt, bash, tar, coreutils, diff), as
 * a table: `kgraft doctor` shows it, and the demonstration installs it. A probe that is a path is a file that
 * must be there; otherwise it is a command on the PATH.
 */
import { access, constants } from "node:fs/promises";
import { join } from "node:path";

export interface Requirement {
  /** What it is for. */
  readonly what: string;
  /** Debian's package that brings it. */
  readonly packageName: string;
  readonly probe: string;
}

export interface RequirementStatus extends Requirement {
  readonly present: boolean;
}

const table: readonly Requirement[] = [
  { what: "compile units of Debian 12 kernels", packageName: "gcc-12", probe: "gcc-12" },
  { what: "build the tools of other suites' kernels", packageName: "gcc", probe: "gcc" },
  { what: "link and read objects", packageName: "binutils", probe: "ld" },
  { what: "run the kernel's build", packageName: "make", probe: "make" },
  {
    what: "C library headers, for the kernel's tools",
    packageName: "libc6-dev",
    probe: "/usr/include/stdio.h",
  },
  { what: "generate the parser of genksyms", packageName: "flex", probe: "flex" },
  { what: "generate the parser of genksyms", packageName: "bison", probe: "bison" },
  { what: "compute the kernel's time constants", packageName: "bc", probe: "bc" },
  { what: "generate what resolve_btfids is built from", packageName: "python3", probe: "python3" },
  { what: "build objtool", packageName: "libelf-dev", probe: "/usr/include/gelf.h" },
  { what: "build sign-file", packageName: "libssl-dev", probe: "/usr/include/openssl/opensslv.h" },
  { what: "unpack source packages", packageName: "xz-utils", probe: "xz" },
  { what: "fetch over https", packageName: "ca-certificates", probe: "/etc/ssl/certs/ca-certificates.crt" },
  {
    what: "check the repository's signature",
    packageName: "debian-archive-keyring",
    probe: "/usr/share/keyrings/debian-archive-keyring.gpg",
  },
];

/** What fetching, preparing and compiling need on this machine. */
export function machineRequirements(): readonly Requirement[] {
  return table;
}

/** Which of them are there. */
export async function checkRequirements(
  requirements: readonly Requirement[] = table,
): Promise<readonly RequirementStatus[]> {
  return Promise.all(requirements.map(async (one) => ({ ...one, present: await isPresent(one.probe) })));
}

async function isPresent(probe: string): Promise<boolean> {
  const places = probe.startsWith("/")
    ? [probe]
    : (process.env["PATH"] ?? "").split(":").map((directory) => join(directory, probe));
  const mode = probe.startsWith("/") ? constants.R_OK : constants.X_OK;
  const found = await Promise.allSettled(places.map((place) => access(place, mode)));
  return found.some((one) => one.status === "fulfilled");
}
