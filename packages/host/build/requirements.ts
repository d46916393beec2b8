import { accessSync } from "node:fs";
import path from "node:path";

/** Something that the builder needs on this machine. */
export interface Requirement {
  readonly what: string;
  /** The Debian package that brings it. */
  readonly packageName: string;
  readonly present: boolean;
  /** Where it was found or looked for. */
  readonly detail: string;
}

/** From Debian's package `apt`: downloads as apt does, through the machine's own proxies and keys. */
export const aptHelper = "/usr/lib/apt/apt-helper";

/** What `buildKgr()` needs, for `kgraft doctor`. */
export function machineRequirements(): readonly Requirement[] {
  const folders = (process.env["PATH"] ?? "").split(":");
  return [
    find("C compiler", "gcc", inFolders(folders, "gcc")),
    find("C library for static linking", "musl-tools", inFolders(folders, "musl-gcc")),
    find("objcopy", "binutils", inFolders(folders, "objcopy")),
    find("tar", "tar", inFolders(folders, "tar")),
    find("xz", "xz-utils", inFolders(folders, "xz")),
    find("apt's downloader", "apt", [aptHelper]),
  ];
}

function inFolders(folders: readonly string[], program: string): readonly string[] {
  return folders.filter((folder) => folder !== "").map((folder) => path.join(folder, program));
}

function find(what: string, packageName: string, places: readonly string[]): Requirement {
  const place = places.find((candidate) => {
    try {
      accessSync(candidate);
      return true;
    } catch {
      return false;
    }
  });
  return { what, packageName, present: place !== undefined, detail: place ?? `not at ${places.join(", ")}` };
}
