/**
 * Packages that take the place of others under another name, as lifecycle data names them: the newest of those that are
 * installed or could be, and that is newer than what it replaces.
 */
import type { LifecyclePackage } from "@kgraft/contract";
import type { System } from "../system.ts";
import { compareVersions } from "../version.ts";
import { ask } from "./ask.ts";
import { type Installed, type KnownPackage, listFromDnf } from "./installed.ts";
import { type Pattern, successorPattern } from "./pattern.ts";
import { attributesOf } from "./xml.ts";

/** A successor that lifecycle data names. */
export interface Wanted {
  readonly of: Installed;
  readonly source: string;
  /** What the parts of the pattern stood for in the name of the package. */
  readonly parts: readonly string[];
}

type Successor = NonNullable<LifecyclePackage["successor"]>;

/** The successors that there are, by the package that they follow. */
export async function findSuccessors(
  system: System,
  wanted: readonly Wanted[],
): Promise<ReadonlyMap<Installed, Successor>> {
  const patterns = wanted.flatMap(({ of, source, parts }) => {
    const pattern = successorPattern(source, parts);
    return pattern === null ? [] : [{ of, pattern }];
  });
  const uses = (manager: Installed["manager"]): boolean => patterns.some(({ of }) => of.manager === manager);
  const available = [
    ...(uses("dpkg")
      ? await listFromApt(
          system,
          patterns.map(({ pattern }) => pattern),
        )
      : []),
    ...(uses("rpm") ? await listFromRpm(system) : []),
  ];
  const found = new Map<Installed, Successor>();
  for (const { of, pattern } of patterns) {
    for (const { name, version, architecture } of available) {
      const fits = name !== of.name && architecture === of.architecture && pattern(name) !== null;
      if (fits && compareVersions(version, found.get(of)?.version ?? of.version) > 0) {
        found.set(of, { name, version });
      }
    }
  }
  return found;
}

/** apt knows tens of thousands: only those whose names fit are asked for. */
async function listFromApt(system: System, patterns: readonly Pattern[]): Promise<readonly KnownPackage[]> {
  const mostNames = 1000;
  const names = ((await ask(system, "apt-cache", ["pkgnames"])) ?? "").split("\n");
  const fitting = names.filter((name) => name !== "" && patterns.some((pattern) => pattern(name) !== null));
  if (fitting.length === 0) {
    return [];
  }
  const shown = await ask(system, "apt-cache", ["show", "--no-all-versions", ...fitting.slice(0, mostNames)]);
  return (shown ?? "").split("\n\n").map((stanza) => {
    const field = (key: string): string => new RegExp(`^${key}: (.*)$`, "m").exec(stanza)?.[1] ?? "";
    return { name: field("Package"), version: field("Version"), architecture: field("Architecture") };
  });
}

async function listFromRpm(system: System): Promise<readonly KnownPackage[]> {
  const zypper = await ask(system, "zypper", ["--no-refresh", "--xmlout", "search", "-s", "-t", "package"]);
  if (zypper !== null) {
    return [...zypper.matchAll(/<solvable\s([^>]*)>/g)].map(([, tag = ""]) => {
      const { name = "", edition = "", arch = "" } = attributesOf(tag);
      return { name, version: edition, architecture: arch };
    });
  }
  return listFromDnf(system, []);
}
