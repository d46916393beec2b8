/** The distribution's packages: which one a file came in, and how to put the version before it in its place. */
import { findInstalled } from "./programs.ts";
import type { RunResult, System } from "./system.ts";
import { compareVersions } from "./version.ts";

const queryLimitMs = 30_000;

/** An installed package. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** As SUSE's tools print it: name, version, release and architecture. */
  readonly fullName: string;
  readonly manager: "dpkg" | "rpm";
}

/** The package that a file came in; null where it came in none. */
export async function packageOf(system: System, path: string): Promise<Package | null> {
  return (await debOf(system, path)) ?? (await rpmOf(system, path));
}

async function debOf(system: System, path: string): Promise<Package | null> {
  const said = await query(system, "dpkg-query", ["-S", path]);
  const name = /^([a-z0-9][a-z0-9+.-]*)(?::\w+)?: /.exec(said)?.[1];
  if (name === undefined) {
    return null;
  }
  const shown = await query(system, "dpkg-query", ["-W", "-f", "${Version} ${Architecture}", name]);
  const [version, architecture] = shown.trim().split(" ");
  return version === undefined || architecture === undefined
    ? null
    : { name, version, fullName: `${name}-${version}.${architecture}`, manager: "dpkg" };
}

async function rpmOf(system: System, path: string): Promise<Package | null> {
  const format = "%{NAME} %{VERSION}-%{RELEASE} %{ARCH}\n";
  const said = await query(system, "rpm", ["-q", "--qf", format, "-f", path]);
  const [, name, version, architecture] = /^(\S+) (\S+-\S+) (\S+)\n/.exec(said) ?? [];
  return name === undefined || version === undefined || architecture === undefined
    ? null
    : { name, version, fullName: `${name}-${version}.${architecture}`, manager: "rpm" };
}

/** The newer version of a package that its package manager would install; null where there is none. */
export async function newerVersion(system: System, installed: Package): Promise<string | null> {
  const { readUpdates } = await import("./lifecycle/installed.ts");
  const updates = await readUpdates(system, installed.manager);
  const version = updates.find(({ name }) => name === installed.name)?.version;
  return version !== undefined && compareVersions(version, installed.version) > 0 ? version : null;
}

/**
 * The command that installs the version before the installed one; null where the package manager knows none.
 */
export async function commandToDowngrade(
  system: System,
  installed: Package,
): Promise<readonly string[] | null> {
  if (installed.manager === "dpkg") {
    const versions = versionsIn(await query(system, "apt-cache", ["madison", installed.name]));
    const before = versionBefore(versions, installed.version);
    const apt = findInstalled(system, "apt-get");
    return before === null || apt === null
      ? null
      : [...apt, "install", "-y", "--allow-downgrades", `${installed.name}=${before}`];
  }
  const zypper = findInstalled(system, "zypper");
  if (zypper !== null) {
    const older = `${installed.name}<${installed.version}`;
    return [...zypper, "--non-interactive", "install", "--oldpackage", older];
  }
  const dnf = findInstalled(system, "dnf");
  return dnf === null ? null : [...dnf, "-y", "downgrade", installed.name];
}

/** `  NAME | VERSION | SOURCE` */
function versionsIn(madison: string): readonly string[] {
  return madison.split("\n").flatMap((line) => {
    const version = line.split("|")[1]?.trim();
    return version === undefined || version === "" ? [] : [version];
  });
}

function versionBefore(versions: readonly string[], installed: string): string | null {
  const older = versions.filter((version) => compareVersions(version, installed) < 0);
  return older.toSorted(compareVersions).at(-1) ?? null;
}

async function query(system: System, program: string, args: readonly string[]): Promise<string> {
  const found = findInstalled(system, program);
  if (found === null) {
    return "";
  }
  const result: RunResult = await system.run([...found, ...args], queryLimitMs);
  return result.kind === "exited" && result.status === 0 ? result.output : "";
}
