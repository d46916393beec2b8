/**
 * A package of dpkg's, by dpkg-deb: a folder as the files lie, with DEBIAN/ beside them. Same description, same bytes:
 * everything is dated alike, owned by root, and packed in the order of names.
 * Source: deb(5), deb-control(5), Debian policy 4 to 7 and 12.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { debChangelog } from "./changelog.ts";
import type { PackageDescription, PackagedFile, Scriptlets } from "./description.ts";
import { fill } from "./fill.ts";
import { runTool, type Work } from "./run.ts";
import { dateFiles, stageFiles } from "./stage.ts";

const scriptNames: Readonly<Partial<Record<keyof Scriptlets, string>>> = {
  beforeInstall: "preinst",
  afterInstall: "postinst",
  beforeRemove: "prerm",
  afterRemove: "postrm",
};

/** What the package is called as a file. */
export function debFileName({ names, version, revision, architecture }: PackageDescription): string {
  return `${names.deb}_${version}-${revision}_${architecture}.deb`;
}

/** Writes the package into a folder; `work` is an empty folder for what it is made from. @returns its path */
export async function writeDeb(
  description: PackageDescription,
  { directory, scratch }: { readonly directory: string; readonly scratch: string },
  work: Work,
): Promise<string> {
  // 1. The files, with what Debian wants of every package.
  const files = [...description.files, ...documents(description)];
  const root = join(scratch, "deb");
  await stageFiles(root, { files, links: description.links });
  // 2. The control files.
  const contents = await Promise.all(files.map(async (file) => ({ ...file, bytes: await bytesOf(file) })));
  const installedBytes = contents.reduce((sum, { bytes }) => sum + bytes.length, 0);
  await stageFiles(root, { files: controlFiles(description, contents, installedBytes), links: [] });
  // 3. The package.
  await dateFiles(root, description.dateSeconds);
  const path = join(directory, debFileName(description));
  const env = { SOURCE_DATE_EPOCH: String(description.dateSeconds) };
  await runTool("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", root, path], { ...work, env });
  return path;
}

interface Contents {
  readonly path: string;
  readonly bytes: Uint8Array;
}

function controlFiles(
  description: PackageDescription,
  contents: readonly Contents[],
  installedBytes: number,
): readonly PackagedFile[] {
  const lines = contents.map(({ path, bytes }) => {
    return `${createHash("md5").update(bytes).digest("hex")}  ${path.slice(1)}\n`;
  });
  const configuration = contents.filter(({ path }) => path.startsWith("/etc/"));
  const texts: Readonly<Record<string, string>> = {
    control: controlText(description, Math.ceil(installedBytes / 1024)),
    md5sums: lines.toSorted(bySecondWord).join(""),
    ...(description.debTriggers && { triggers: `${description.debTriggers.join("\n")}\n` }),
    ...(configuration.length > 0 && { conffiles: configuration.map(({ path }) => `${path}\n`).join("") }),
  };
  const scripts = Object.entries(scriptNames).flatMap(([when, name]): readonly PackagedFile[] => {
    const body = description.scriptlets.deb[when as keyof Scriptlets];
    const source = Buffer.from(`#!/bin/sh\nset -e\n${body}`);
    return body === undefined ? [] : [{ path: `/DEBIAN/${name}`, source, mode: 0o755 }];
  });
  const files = Object.entries(texts).map(([name, text]): PackagedFile => {
    return { path: `/DEBIAN/${name}`, source: Buffer.from(text) };
  });
  return [...files, ...scripts];
}

function documents({ names, changelog, copyright }: PackageDescription): readonly PackagedFile[] {
  const folder = `/usr/share/doc/${names.deb}`;
  const text = gzipSync(debChangelog(names.deb, changelog), { level: 9 });
  return [
    { path: `${folder}/changelog.Debian.gz`, source: text },
    { path: `${folder}/copyright`, source: Buffer.from(copyright) },
  ];
}

function controlText(description: PackageDescription, installedKib: number): string {
  const { names, version, revision, architecture, maintainer, section, summary } = description;
  const fields: Readonly<Record<string, string>> = {
    Package: names.deb,
    Version: `${version}-${revision}`,
    Architecture: architecture,
    Maintainer: maintainer,
    "Installed-Size": String(installedKib),
    ...description.deb,
    Section: section,
    Priority: "optional",
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  const paragraphs = description.description.map((text) => fill(text, 76, " ")).join(" .\n");
  return `${lines.join("")}Description: ${summary}\n${paragraphs}`;
}

async function bytesOf({ source }: PackagedFile): Promise<Uint8Array> {
  return typeof source === "string" ? readFile(source) : source;
}

function bySecondWord(a: string, b: string): number {
  return a.slice(34) < b.slice(34) ? -1 : 1;
}
