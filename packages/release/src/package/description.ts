/**
 * A package, before it is one of dpkg's or rpm's: what both formats have in common, said once. Where they differ, in
 * names, relations and the words of scriptlets, both stand side by side.
 */
import type { ChangelogEntry } from "./changelog.ts";

export const packageFormats = ["deb", "rpm"] as const;
export type PackageFormat = (typeof packageFormats)[number];

/** Debian's names; `all` is for what no processor runs. */
export type PackageArchitecture = "amd64" | "ppc64el" | "all";

/** One file as it lies on the machine. */
export interface PackagedFile {
  /** Absolute path there. */
  readonly path: string;
  /** A path here, or the contents. */
  readonly source: string | Uint8Array;
  /** Permission bits, 0o644 where not given. */
  readonly mode?: number;
  /** The one format that has it; both where not given. */
  readonly only?: PackageFormat;
}

export interface PackagedLink {
  readonly path: string;
  readonly target: string;
  readonly only?: PackageFormat;
}

/** What runs around the installation, without the first line; absent for what has nothing to do. */
export interface Scriptlets {
  readonly beforeInstall?: string;
  readonly afterInstall?: string;
  readonly beforeRemove?: string;
  readonly afterRemove?: string;
  /** After the whole transaction; rpm only. */
  readonly atEnd?: string;
}

export interface PackageDescription {
  readonly names: Readonly<Record<PackageFormat, string>>;
  /** Without a `-`. */
  readonly version: string;
  /** Debian's revision, rpm's release. */
  readonly revision: string;
  readonly architecture: PackageArchitecture;
  readonly section: "kernel" | "admin";
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  /** Fields of the control file besides the usual, such as Depends; and lines of the spec file. */
  readonly deb: Readonly<Record<string, string>>;
  readonly rpm: readonly (readonly [tag: string, value: string])[];
  /** Lines of dpkg's triggers file. */
  readonly debTriggers?: readonly string[];
  readonly files: readonly PackagedFile[];
  readonly links: readonly PackagedLink[];
  /** Folders that are this package's own: rpm removes them with it, dpkg does so unasked. */
  readonly folders: readonly string[];
  readonly scriptlets: Readonly<Record<PackageFormat, Scriptlets>>;
  /** Newest first; the first is this version's. */
  readonly changelog: readonly ChangelogEntry[];
  /** Who may copy it: for Debian's copyright file, and as an SPDX expression for rpm. */
  readonly copyright: string;
  readonly license: string;
  /** `Name <mail address>`. */
  readonly maintainer: string;
  /** Seconds since 1970 that everything in the package is dated by. */
  readonly dateSeconds: number;
}

/** A package that was written. */
export interface PackageFile {
  readonly format: PackageFormat;
  readonly path: string;
  readonly name: string;
  /** Version and revision. */
  readonly version: string;
  /** As the format calls it. */
  readonly architecture: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}
