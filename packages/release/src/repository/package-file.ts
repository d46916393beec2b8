/**
 * A package that is to be published, checked where it comes in: bounded, whole, named as package managers name them,
 * and with the live patch's manifest where it carries one. What reads it are the programs of its own trade, dpkg-deb
 * and rpm, on a copy that nobody else changes.
 */
import { createHash } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Manifest, manifestSchema } from "@kgraft/contract";
import { execa } from "execa";
import { whyUnread } from "../unread.ts";
import { PackageUnfit, ToolFailed } from "./errors.ts";

export interface PackageFile {
  readonly format: "deb" | "rpm";
  readonly name: string;
  /** `VERSION-RELEASE`, with the epoch before it where there is one. */
  readonly version: string;
  readonly architecture: string;
  /** What the file is called in the repository, whatever it was called before. */
  readonly file: string;
  /** The checked copy. */
  readonly copy: string;
  /** Of the copy; of an rpm that gets signed, before that. */
  readonly sha256: string;
  readonly isSigned: boolean;
  readonly manifest: Manifest | undefined;
}

const limitBytes = 256 << 20;
const manifestPattern = "*/lib/modules/*.json";
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._+-]{1,127}$/;
const versionForm = /^(\d{1,4}:)?[A-Za-z0-9][A-Za-z0-9._+~]*(-[A-Za-z0-9][A-Za-z0-9._+~]*)*$/;
const architectureForm = /^[a-z0-9_]{2,20}$/;

/** @param directory takes the copy @throws PackageUnfit */
export async function readPackage(
  path: string,
  directory: string,
  signal: AbortSignal,
): Promise<PackageFile> {
  const bytes = await readBounded(path);
  const format = formatOf(path, bytes);
  const copy = join(directory, `${createHash("sha256").update(path).digest("hex").slice(0, 16)}.${format}`);
  const file = await open(copy, "wx", 0o600);
  await file.writeFile(bytes).finally(() => file.close());
  const facts = await (format === "deb" ? readDeb : readRpm)(path, copy, signal);
  for (const [field, value, form] of [
    ["name", facts.name, nameForm],
    ["version", facts.version, versionForm],
    ["architecture", facts.architecture, architectureForm],
  ] as const) {
    if (!form.test(value) || value.length > 128)
      throw unfit(path, `its ${field} is ${JSON.stringify(value)}`, "one that package managers take");
  }
  const plainVersion = facts.version.replace(/^\d+:/, "");
  return {
    format,
    ...facts,
    file:
      format === "deb"
        ? `${facts.name}_${plainVersion}_${facts.architecture}.deb`
        : `${facts.name}-${plainVersion}.${facts.architecture}.rpm`,
    copy,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

/** The manifest of a live patch: from its NAME.json, or from a package of it. @throws PackageUnfit */
export async function manifestOfFile(path: string, signal: AbortSignal): Promise<Manifest> {
  const bytes = await readBounded(path);
  if (bytes.subarray(0, 64).toString("latin1").trimStart().startsWith("{")) return parseManifest(path, bytes);
  const directory = await mkdtemp(join(tmpdir(), "kgraft-manifest-"));
  try {
    const { manifest } = await readPackage(path, directory, signal);
    if (manifest !== undefined) return manifest;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  throw unfit(path, "it carries no live patch", "NAME.json of one, or a package of one");
}

type Facts = Omit<PackageFile, "format" | "file" | "copy" | "sha256">;

async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path).catch((cause: unknown) => {
    throw new PackageUnfit(`cannot read ${path}: ${whyUnread(cause)}`, "name a .deb or .rpm file", {
      cause,
    });
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw unfit(path, "it is no regular file", "a .deb or .rpm file");
    if (found.size > limitBytes) throw unfit(path, `it has ${found.size} bytes`, `at most ${limitBytes}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function formatOf(path: string, bytes: Buffer): "deb" | "rpm" {
  if (bytes.subarray(0, 8).toString("latin1") === "!<arch>\n") return "deb";
  if (bytes.subarray(0, 4).toString("hex") === "edabeedb") return "rpm";
  const found =
    bytes.length === 0
      ? "it is empty"
      : `it begins with ${JSON.stringify(bytes.subarray(0, 8).toString("latin1"))}`;
  throw unfit(path, found, "a .deb or .rpm file");
}

async function readDeb(path: string, copy: string, signal: AbortSignal): Promise<Facts> {
  const fields = await text(path, signal, "dpkg-deb", [
    "--show",
    "--showformat=${Package}\\n${Version}\\n${Architecture}\\n",
    copy,
  ]);
  const [name = "", version = "", architecture = ""] = fields.split("\n");
  // Reads all of the data, so whatever is missing at its end is noticed.
  const files = await output(path, signal, "dpkg-deb", ["--fsys-tarfile", copy]);
  return {
    name,
    version,
    architecture,
    isSigned: false,
    manifest: await readManifest(
      path,
      signal,
      "tar",
      ["--extract", "--to-stdout", "--wildcards", manifestPattern],
      files,
    ),
  };
}

async function readRpm(path: string, copy: string, signal: AbortSignal): Promise<Facts> {
  await output(path, signal, "rpmkeys", ["--checksig", "--nosignature", copy]);
  const format =
    "%{NAME}\\n%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n%{ARCH}\\n%|SIGPGP?{signed}:{%|RSAHEADER?{signed}|}|\\n";
  const fields = await text(path, signal, "rpm", [
    "--query",
    "--package",
    "--nosignature",
    "--queryformat",
    format,
    copy,
  ]);
  const [name = "", version = "", architecture = "", signed = ""] = fields.split("\n");
  const archive = await output(path, signal, "rpm2cpio", [copy]);
  return {
    name,
    version,
    architecture,
    isSigned: signed === "signed",
    manifest: await readManifest(
      path,
      signal,
      "cpio",
      ["--extract", "--to-stdout", "--quiet", manifestPattern],
      archive,
    ),
  };
}

/** The one manifest of an archive; undefined where there is none. */
async function readManifest(
  path: string,
  signal: AbortSignal,
  program: string,
  words: readonly string[],
  archive: Buffer,
): Promise<Manifest | undefined> {
  // tar ends with 2 where nothing has such a name.
  const bytes = await output(path, signal, program, words, archive, [0, 2]);
  return bytes.length === 0 ? undefined : parseManifest(path, bytes);
}

function parseManifest(path: string, bytes: Buffer): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw unfit(path, "its manifest is no JSON", "one manifest, as kgraft build writes it");
  }
  const checked = manifestSchema.safeParse(value);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  throw unfit(
    path,
    `its manifest: ${issue?.path.join(".") || "document"}: ${issue?.message ?? "invalid"}`,
    "one that kgraft build writes",
  );
}

async function text(
  path: string,
  signal: AbortSignal,
  program: string,
  words: readonly string[],
): Promise<string> {
  return (await output(path, signal, program, words)).toString("utf8");
}

async function output(
  path: string,
  signal: AbortSignal,
  program: string,
  words: readonly string[],
  input?: Buffer,
  okCodes: readonly number[] = [0],
): Promise<Buffer> {
  const result = await execa(program, words, {
    env: { LC_ALL: "C" },
    input: input ?? Buffer.alloc(0),
    encoding: "buffer",
    stripFinalNewline: false,
    maxBuffer: 2 * limitBytes,
    reject: false,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  if (result.code === "ENOENT") {
    throw new ToolFailed(`cannot read ${path}: the program ${program} is not here`, "type: kgraft doctor");
  }
  if (result.exitCode !== undefined && okCodes.includes(result.exitCode)) return Buffer.from(result.stdout);
  const said = `${Buffer.from(result.stderr).toString("utf8")}\n${program === "rpmkeys" ? Buffer.from(result.stdout).toString("utf8") : ""}`;
  throw unfit(path, `${program} says: ${firstLine(said)}`, "a whole package");
}

function firstLine(said: string): string {
  const line = said.split("\n").find((one) => one.trim() !== "") ?? "nothing";
  return line
    .replace(/^(dpkg-deb|rpm2cpio|rpm|error|tar|cpio): */g, "")
    .replace(/\/\S*\.(deb|rpm)/g, (name) => basename(name))
    .slice(0, 300);
}

function unfit(path: string, found: string, wanted: string): PackageUnfit {
  return new PackageUnfit(
    `cannot take ${path}: ${found}, wanted ${wanted}`,
    "make the package again, or fetch it again",
  );
}
