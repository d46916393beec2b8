/**
 * The Debian side of a channel: `dists/CHANNEL`. The Release text is written here, because apt-ftparchive would hash
 * the whole folder for it; what stands in it is known already.
 * Source: https://wiki.debian.org/DebianRepository/Format; apt-secure(8), sources.list(5).
 */
import type { IndexFile } from "./blocks.ts";

export interface ReleaseFacts {
  readonly origin: string;
  readonly channel: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly validDays: number;
  readonly onRequest: boolean;
  readonly indexes: ReadonlyMap<string, IndexFile>;
}

const component = "main";

/** Where the index of an architecture lies, under `dists/CHANNEL`. */
export function indexFolder(architecture: string): string {
  return `${component}/binary-${architecture}`;
}

/** The text that is signed into InRelease. @param facts by architecture, in `indexes` */
export function releaseText({ origin, channel, time, validDays, onRequest, indexes }: ReleaseFacts): string {
  const hashes = [...indexes].flatMap(([architecture, index]) => {
    const folder = indexFolder(architecture);
    return [
      ` ${index.plainSha256} ${index.plainBytes} ${folder}/Packages`,
      ` ${index.sha256} ${index.compressed.length} ${folder}/Packages.xz`,
    ];
  });
  return `${[
    `Origin: ${origin}`,
    `Label: ${origin}`,
    `Suite: ${channel}`,
    `Codename: ${channel}`,
    `Date: ${dateText(time)}`,
    `Valid-Until: ${dateText(time + validDays * 86_400)}`,
    `Architectures: ${[...indexes.keys()].join(" ")}`,
    `Components: ${component}`,
    "Description: live patches of the Linux kernel",
    "Acquire-By-Hash: yes",
    // Priority 1: apt takes nothing from it by itself, apt_preferences(5).
    ...(onRequest ? ["NotAutomatic: yes"] : []),
    "SHA256:",
    ...hashes,
  ].join("\n")}\n`;
}

/** As RFC 2822 has it, in UTC: `Wed, 25 Nov 2026 02:00:00 UTC`. */
export function dateText(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace(/GMT$/, "UTC");
}
