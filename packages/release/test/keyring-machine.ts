/** Machines that know a channel by its keyring package alone: a real Debian each, in a root of its own. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aptSources } from "@kgraft/kernel";
import { execa } from "execa";
import { directoryStore, makeKeyring, type PackageFile, readTrust } from "../src/mod.ts";
import { dateSeconds, maintainer, signal } from "./built.ts";
import { publicKey, type Scratch } from "./scratch.ts";

/** The package as it has to be now, a day later each time. */
export async function keyring(place: Scratch, day: number, key: string): Promise<readonly PackageFile[]> {
  const trusted = [await publicKey(key)];
  const trust = await readTrust(directoryStore(place.repository), "stable", trusted, signal);
  const directory = join(place.path, `keyring-${day}`);
  const dated = dateSeconds + day * 86_400;
  return makeKeyring(
    { directory, formats: ["deb", "rpm"], maintainer, dateSeconds: dated, trust },
    { signal },
  );
}

export function paths(files: readonly PackageFile[], format?: PackageFile["format"]): readonly string[] {
  return files.filter((one) => format === undefined || one.format === format).map(({ path }) => path);
}

/** A Debian that takes packages from nowhere yet. */
export async function makeRoot(
  place: Scratch,
  name: string,
  packages: readonly string[] = [],
): Promise<string> {
  const root = join(place.path, name);
  const sources = join(place.path, "debian.list");
  await writeFile(sources, await aptSources("bookworm"));
  await mkdir(root);
  const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
  await execa("mmdebstrap", ["--quiet", "--variant=apt", ...include, "bookworm", root, sources], {
    stdin: "ignore",
    timeout: 900_000,
  });
  await inside(root, "rm", "-f", "/etc/apt/sources.list");
  return root;
}

/** Both outputs of a command on the machine; what it leaves running ends with it. @throws where it fails */
export async function inside(root: string, ...words: readonly string[]): Promise<string> {
  const env = { no_proxy: "127.0.0.1", LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const apart = ["--pid", "--fork", "--kill-child", `--mount-proc=${root}/proc`];
  const all = await execa("unshare", [...apart, "chroot", root, ...words], {
    all: true,
    stdin: "ignore",
    timeout: 300_000,
    env,
  });
  return all.all;
}
