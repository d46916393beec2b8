/**
 * What the indexes say of each new package, by the programs that know the formats: apt-ftparchive writes the stanza
 * of a .deb, createrepo_c the three elements of an .rpm. Both look only at what is new.
 */
import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Entry, GroupKind } from "./blocks.ts";
import { ToolFailed } from "./errors.ts";
import { runTool } from "./tool.ts";

export const debKind: GroupKind = {
  parts: ["Packages"],
  compression: "xz",
  cut: (text) => text.split(/(?<=\n\n)/).filter((one) => one !== ""),
};

export const rpmKind: GroupKind = {
  parts: ["primary", "filelists", "other"],
  compression: "gz",
  cut: (text) => text.split(/(?<=<\/package>\n)/).filter((one) => one !== ""),
};

export const updateinfoKind: GroupKind = {
  parts: ["updateinfo"],
  compression: "gz",
  cut: (text) => text.split(/(?<=<\/update>\n)/).filter((one) => one !== ""),
};

export interface NewFile {
  /** Where its bytes are now; they are moved to the folder of the tool. */
  readonly copy: string;
  /** What it is called in the repository. */
  readonly file: string;
  /** From the repository's root. */
  readonly path: string;
}

/** Stanzas of `Packages`, of new .deb files. */
export async function debEntries(
  files: readonly NewFile[],
  directory: string,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  if (files.length === 0) return [];
  const folder = join(directory, "deb");
  await moveInto(folder, files);
  const hashes = ["MD5", "SHA1", "SHA512"].flatMap((name) => ["-o", `APT::FTPArchive::${name}=false`]);
  const listing = await runTool("apt-ftparchive", [...hashes, "packages", "."], { cwd: folder, signal });
  const stanzas = new Map<string, string>();
  for (const stanza of listing.split("\n\n")) {
    const file = /^Filename: \.\/(.+)$/m.exec(stanza)?.[1];
    if (file !== undefined) stanzas.set(file, stanza.trim());
  }
  return files.map(({ file, path }) => {
    const stanza = stanzas.get(file);
    if (stanza === undefined) throw silent("apt-ftparchive", file);
    return {
      member: path,
      texts: { Packages: `${stanza.replace(/^Filename: .*$/m, () => `Filename: ${path}`)}\n\n` },
    };
  });
}

/** `<package>` elements, of new .rpm files in the folder `Packages` of their channel. */
export async function rpmEntries(
  files: readonly NewFile[],
  directory: string,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  if (files.length === 0) return [];
  const folder = join(directory, "rpm");
  await moveInto(folder, files);
  const words = [
    "--quiet",
    "--no-database",
    "--simple-md-filenames",
    "--compress-type=gz",
    "--general-compress-type=gz",
  ];
  await runTool("createrepo_c", [...words, "--location-prefix", "Packages", "."], { cwd: folder, signal });
  const parts = await Promise.all(
    rpmKind.parts.map(async (part) => {
      const packed = await readFile(join(folder, "repodata", `${part}.xml.gz`));
      return [part, elementsById(gunzipSync(packed).toString("utf8"))] as const;
    }),
  );
  const ids = new Map<string, string>();
  for (const [id, element] of parts[0]?.[1] ?? []) {
    const href = /<location href="(?:Packages\/)?([^"]+)"/.exec(element)?.[1];
    if (href !== undefined) ids.set(unescape(href), id);
  }
  return files.map(({ file, path }) => {
    const id = ids.get(file);
    const texts = Object.fromEntries(parts.map(([part, elements]) => [part, elements.get(id ?? "") ?? ""]));
    if (Object.values(texts).includes("")) throw silent("createrepo_c", file);
    return { member: path, texts };
  });
}

/** Each `<package>` element with its end of line, by the hash that names the package in all three files. */
function elementsById(xml: string): ReadonlyMap<string, string> {
  const elements = new Map<string, string>();
  for (const [element] of xml.matchAll(/<package [\s\S]*?<\/package>\n/g)) {
    const id = /pkgid="([0-9a-f]{64})"|pkgid="YES">([0-9a-f]{64})</.exec(element);
    if (id !== null) elements.set(id[1] ?? id[2] ?? "", element);
  }
  return elements;
}

async function moveInto(folder: string, files: readonly NewFile[]): Promise<void> {
  await mkdir(folder);
  for (const { copy, file } of files) await rename(copy, join(folder, file));
}

function unescape(text: string): string {
  return text.replaceAll("&amp;", "&");
}

function silent(program: string, file: string): ToolFailed {
  return new ToolFailed(`cannot list ${file}: ${program} says nothing of it`, "make the package again");
}
