/**
 * What is installed and what newer versions wait for it, as the package managers tell: dpkg with apt, rpm with zypper or
 * dnf. They answer from what they have; nothing is fetched.
 */
import { LifecycleError } from "../errors.ts";
import { t } from "../language.ts";
import type { System } from "../system.ts";
import { compareVersions } from "../version.ts";
import { ask } from "./ask.ts";
import { attributesOf } from "./xml.ts";

/** A package as a package manager tells of it. */
export interface KnownPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** An installed package. */
export interface Installed extends KnownPackage {
  readonly manager: "dpkg" | "rpm";
  /** The newer version that waits for it; null where there is none. */
  readonly update: string | null;
}

const debFormat = "${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Status}\\n";
const rpmFormat = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\tinstalled\\n";

/** All packages by name, each name's newest first. @throws LifecycleError */
export async function readInstalled(system: System): Promise<readonly Installed[]> {
  const debs = await ask(system, "dpkg-query", ["-W", "-f", debFormat]);
  const rpms = await ask(system, "rpm", ["-qa", "--qf", rpmFormat]);
  if (debs === null && rpms === null) {
    throw new LifecycleError(
      t`cannot list the installed packages: neither dpkg-query nor rpm answers`,
      t`type: dpkg-query -W, or: rpm -qa`,
    );
  }
  const packages = [
    ...(await withUpdates(system, "dpkg", rowsOf(debs ?? ""))),
    ...(await withUpdates(system, "rpm", rowsOf(rpms ?? ""))),
  ];
  return packages.toSorted((a, b) =>
    a.name === b.name ? compareVersions(b.version, a.version) : a.name < b.name ? -1 : 1,
  );
}

/** Lines that end with `installed`; dpkg also has some of what was removed. */
function rowsOf(output: string): readonly KnownPackage[] {
  return output.split("\n").flatMap((line) => {
    const [name = "", version = "", architecture = "", status] = line.split("\t");
    // rpm lists the keys that it trusts too.
    return status === "installed" && name !== "gpg-pubkey" ? [{ name, version, architecture }] : [];
  });
}

/** Of several architectures in one version one stands for all. A package manager that has nothing is not asked. */
async function withUpdates(
  system: System,
  manager: Installed["manager"],
  rows: readonly KnownPackage[],
): Promise<readonly Installed[]> {
  const key = ({ name, architecture }: KnownPackage): string => `${name} ${architecture}`;
  const newer = rows.length === 0 ? [] : await readUpdates(system, manager);
  const updates = new Map(newer.map((row) => [key(row), row.version]));
  const once = new Map(rows.toReversed().map((row) => [`${row.name} ${row.version}`, row]));
  return [...once.values()].map((row) => {
    const update = updates.get(key(row)) ?? null;
    return {
      ...row,
      manager,
      update: update !== null && compareVersions(update, row.version) > 0 ? update : null,
    };
  });
}

/** The newer versions of installed packages that would be installed now. */
export function readUpdates(system: System, manager: Installed["manager"]): Promise<readonly KnownPackage[]> {
  return manager === "dpkg" ? aptUpdates(system) : rpmUpdates(system);
}

/** `Inst bash [5.2.15-2+b2] (5.2.15-2+b8 Debian:12.11/stable [amd64])` */
async function aptUpdates(system: System): Promise<readonly KnownPackage[]> {
  const said = (await ask(system, "apt-get", ["--simulate", "--with-new-pkgs", "upgrade"])) ?? "";
  const matches = said.matchAll(/^Inst (\S+) \[\S+\] \((\S+) .*\[(\w+)\]\)/gm);
  return [...matches].map(([, name = "", version = "", architecture = ""]) => ({
    name,
    version,
    architecture,
  }));
}

async function rpmUpdates(system: System): Promise<readonly KnownPackage[]> {
  const zypper = await ask(system, "zypper", ["--no-refresh", "--xmlout", "list-updates"]);
  if (zypper !== null) {
    return [...zypper.matchAll(/<update\s([^>]*)>/g)].flatMap(([, tag = ""]) => {
      const { kind, name = "", edition = "", arch = "" } = attributesOf(tag);
      return kind === "package" ? [{ name, version: edition, architecture: arch }] : [];
    });
  }
  return listFromDnf(system, ["--upgrades"]);
}

/** What dnf has of its repositories, in the form that rpm's versions have here. */
export async function listFromDnf(
  system: System,
  which: readonly string[],
): Promise<readonly KnownPackage[]> {
  const format = "%{name}\\t%{evr}\\t%{arch}\\n";
  const words = ["--quiet", "--cacheonly", "repoquery", ...which, "--queryformat", format];
  const said = (await ask(system, "dnf", words)) ?? "";
  return [...said.matchAll(/^(\S+)\t(\S+)\t(\S+)$/gm)].map(([, name = "", evr = "", architecture = ""]) => ({
    name,
    version: evr.replace(/^0:/, ""),
    architecture,
  }));
}
