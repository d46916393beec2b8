/** From a description to the packages of it, complete or not there at all. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeFolder } from "../folder.ts";
import { writeDeb } from "./deb.ts";
import type { PackageDescription, PackageFile, PackageFormat } from "./description.ts";
import { rpmArchitecture, writeRpm } from "./rpm.ts";
import type { Work } from "./run.ts";

export interface Target {
  /** Where the packages go. */
  readonly directory: string;
  readonly formats: readonly PackageFormat[];
}

const writers = { deb: writeDeb, rpm: writeRpm } as const;

/** Writes the packages; both become visible when both are complete. */
export async function writePackages(
  description: PackageDescription,
  { directory, formats }: Target,
  work: Work,
): Promise<readonly PackageFile[]> {
  await makeFolder(directory);
  const scratch = await mkdtemp(join(directory, ".packaging-"));
  try {
    const made: string[] = [];
    for (const format of formats) {
      const ofFormat = only(description, format);
      made.push(await writers[format](ofFormat, { directory: scratch, scratch }, work));
    }
    const written: PackageFile[] = [];
    for (const [index, format] of formats.entries()) {
      written.push(await describe(description, format, made[index]!)); // one for each format, above
    }
    for (const path of made) await rename(path, join(directory, basename(path)));
    return written.map((file) => ({ ...file, path: join(directory, basename(file.path)) }));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What of the files and links is this format's. */
function only(description: PackageDescription, format: PackageFormat): PackageDescription {
  const isOurs = ({ only: one }: { readonly only?: PackageFormat }): boolean =>
    one === undefined || one === format;
  const { files, links } = description;
  return { ...description, files: files.filter(isOurs), links: links.filter(isOurs) };
}

async function describe(
  { names, version, revision, architecture }: PackageDescription,
  format: PackageFormat,
  path: string,
): Promise<PackageFile> {
  const bytes = await readFile(path);
  return {
    format,
    path,
    name: names[format],
    version: `${version}-${revision}`,
    architecture: format === "rpm" ? rpmArchitecture(architecture) : architecture,
    sizeBytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}
