/**
 * Fills a repository: fill.ts REPOSITORY KEY FILE, with the passphrase in KGRAFT_KEY_PASSPHRASE and a line for each
 * package in FILE. All of it is as `kgraft publish` does it, but for two things that take hours for thousands of packages
 * on a busy machine and leave nothing that the next publication looks at: five programs that check each of them, and the
 * signature in each .rpm. A process of its own, because starting a program costs a process the more, the larger it is.
 */
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { directoryStore, openSigner } from "@kgraft/release";
import { sha256 } from "../../packages/release/src/repository/blocks.ts";
import { describePackages, poolPath } from "../../packages/release/src/repository/new-packages.ts";
import type { PackageFile } from "../../packages/release/src/repository/package-file.ts";
import { publishRead } from "../../packages/release/src/repository/publish.ts";
import { manifestOf } from "../../packages/release/test/make-package.ts";
import { releaseOf } from "./packages.ts";

const [repository = "", key = "", list = ""] = process.argv.slice(2);
const paths = (await readFile(list, "utf8")).trim().split("\n");
const { signal } = new AbortController();
await using signer = await openSigner({
  keys: [key],
  passphrase: process.env["KGRAFT_KEY_PASSPHRASE"] ?? "",
  signal,
});
await publishRead(
  async (request) => {
    const news = [];
    for (const path of request.paths) {
      const one = await known(path, request.directory);
      news.push({ path: poolPath(request.channel, one), one });
    }
    return { added: await describePackages(news, request, signal), unchanged: [] };
  },
  { store: directoryStore(repository), channel: "stable", packages: paths, signer },
  { signal },
);

async function known(path: string, directory: string): Promise<PackageFile> {
  const format = path.endsWith(".rpm") ? "rpm" : "deb";
  const release = releaseOf(path);
  const name = `kgraft-patch-${format === "rpm" ? release.replaceAll(".", "_") : release}`;
  const file = format === "deb" ? `${name}_2-1_amd64.deb` : `${name}-2-1.x86_64.rpm`;
  const copy = join(directory, file);
  await copyFile(path, copy);
  return {
    format,
    name,
    version: "2-1",
    architecture: format === "deb" ? "amd64" : "x86_64",
    file,
    copy,
    sha256: sha256(await readFile(copy)),
    isSigned: false,
    manifest: manifestOf({ release, counter: 2 }),
  };
}
