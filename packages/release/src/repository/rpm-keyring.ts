/**
 * Whether rpm would take a package on a machine that has these keys and no others: rpm itself is asked, with a database
 * of its own that knows nothing else. A package without a signature passes rpmkeys, but not a client with gpgcheck=1.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { PackageUnfit, ToolFailed } from "./errors.ts";
import { runTool } from "./tool.ts";

export interface RpmKeyring extends AsyncDisposable {
  /** What is wrong with each file that rpm would refuse, by its path. @throws ToolFailed */
  readonly faults: (files: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** A folder for copies, which goes with the keyring. */
  readonly directory: string;
}

/** @param keys armored */
export async function openRpmKeyring(keys: readonly string[], signal: AbortSignal): Promise<RpmKeyring> {
  const directory = await mkdtemp(join(tmpdir(), "kgraft-rpm-keys-"));
  const close = (): Promise<void> => rm(directory, { recursive: true, force: true });
  const database = ["--dbpath", join(directory, "db")];
  try {
    for (const [at, key] of keys.entries()) {
      const file = join(directory, `${at}.asc`);
      await writeFile(file, key);
      await runTool("rpmkeys", [...database, "--import", file], { signal });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    directory,
    async faults(files) {
      if (files.length === 0) return new Map();
      const { stdout, code } = await execa("rpmkeys", [...database, "--checksig", "--verbose", ...files], {
        env: { LC_ALL: "C" },
        reject: false,
        cancelSignal: signal,
      });
      signal.throwIfAborted();
      if (code === "ENOENT")
        throw new ToolFailed("cannot run rpmkeys: it is not here", "type: kgraft doctor");
      return faultsIn(stdout, files);
    },
    [Symbol.asyncDispose]: close,
  };
}

/** A line of the file's name and a colon, then one line indented for each signature and digest. */
export function faultsIn(said: string, files: readonly string[]): ReadonlyMap<string, string> {
  const lines = said.split("\n");
  const faults = new Map<string, string>();
  for (const file of files) {
    const from = lines.indexOf(`${file}:`) + 1;
    const rest = from === 0 ? [] : lines.slice(from);
    const end = rest.findIndex((line) => !line.startsWith(" "));
    const fault = faultOf(end < 0 ? rest : rest.slice(0, end));
    if (fault !== undefined) faults.set(file, fault);
  }
  return faults;
}

function faultOf(lines: readonly string[]): string | undefined {
  const bad = lines.find((line) => line.includes(": BAD"));
  if (bad !== undefined) return `rpm says: ${bad.trim().replace(/ \(.*/, "")}`;
  const signatures = lines.filter((line) => /signature, key ID/i.test(line));
  const unknown = signatures.find((line) => line.endsWith(": NOKEY"));
  if (unknown !== undefined) {
    const id = /key ID ([0-9a-f]+)/.exec(unknown)?.[1]?.toUpperCase() ?? "a key";
    return `it is signed by ${id}, which is none of the repository's keys`;
  }
  if (lines.length === 0) return "rpm says nothing of it";
  if (signatures.length === 0) return "it has no signature";
  return signatures.every((line) => line.endsWith(": OK")) ? undefined : `rpm says: ${signatures[0]?.trim()}`;
}

/** A package that came signed. */
export interface SignedRpm {
  /** As it was handed in. */
  readonly path: string;
  readonly copy: string;
}

/** Machines of the repository know its keys and no more. @param keys armored @throws PackageUnfit */
export async function checkRpmSignatures(
  files: readonly SignedRpm[],
  keys: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (files.length === 0) return;
  await using keyring = await openRpmKeyring(keys, signal);
  const faults = await keyring.faults(files.map(({ copy }) => copy));
  for (const { path, copy } of files) {
    const fault = faults.get(copy);
    if (fault === undefined) continue;
    throw new PackageUnfit(
      `cannot publish ${path}: ${fault}, so rpm would refuse it`,
      `take the signature off, and it is signed anew: rpmsign --delsign ${path}`,
    );
  }
}
