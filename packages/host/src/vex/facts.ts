/**
 * What a VEX document (Vulnerability Exploitability eXchange) says of this machine, whatever its format: the
 * kernel's package has these CVEs by its version, and yet they are fixed, because live patches are in force.
 * A scanner finds the package by its package URL. Only the package of the running kernel's image is named: of the
 * headers and of other installed kernels nothing is known here.
 */
import packageJson from "../../package.json" with { type: "json" };
import type { Manifest } from "@kgraft/contract";
import { type FixInForce, timestamp } from "../in-force.ts";
import type { System } from "../system.ts";
import { decodeUtf8, readText } from "../text.ts";

export interface VexFacts {
  /** A version 4 UUID, another one for each document. */
  readonly uuid: string;
  readonly host: string;
  /** The tool that makes the document. */
  readonly tool: { readonly name: "kgr"; readonly version: string };
  /** When the document is made, RFC 3339. */
  readonly timestamp: string;
  readonly kernel: {
    /** Such as `Debian`. */
    readonly vendor: string;
    readonly packageName: string;
    readonly packageVersion: string;
    /** Package URL, https://github.com/package-url/purl-spec. */
    readonly purl: string;
  };
  readonly fixes: readonly VexFix[];
}

export interface VexFix {
  readonly cve: string;
  readonly title: string;
  readonly patch: string;
  /** RFC 3339; null where nothing tells. */
  readonly since: string | null;
}

/** @throws SystemError */
export function gatherFacts(
  system: System,
  kernel: Manifest["kernel"],
  fixes: readonly FixInForce[],
): VexFacts {
  const id = distribution(system);
  const packageName = `linux-image-${kernel.release}`;
  return {
    uuid: readWord(system, "/proc/sys/kernel/random/uuid"),
    host: readWord(system, "/proc/sys/kernel/hostname"),
    tool: { name: "kgr", version: packageJson.version },
    timestamp: timestamp(system, system.nowMs()),
    kernel: {
      vendor: `${id[0]?.toUpperCase()}${id.slice(1)}`,
      packageName,
      packageVersion: kernel.packageVersion,
      purl: `pkg:deb/${id}/${packageName}@${encodeURIComponent(kernel.packageVersion)}?arch=${kernel.architecture}`,
    },
    fixes: fixes.map(({ id: cve, title, patch, sinceMs }) => {
      return { cve, title, patch, since: sinceMs === null ? null : timestamp(system, sinceMs) };
    }),
  };
}

function readWord(system: System, path: string): string {
  return decodeUtf8(system.readBytes(path, 256)).trim();
}

/** Manifests are made for Debian's kernels and those of its descendants, which tell so in os-release(5). */
function distribution(system: System): string {
  return /^ID="?([a-z0-9._-]+)"?$/m.exec(readText(system, "/etc/os-release") ?? "")?.[1] ?? "debian";
}
