/** A machine that knows a channel by one package, through a change of the key: a real Debian, in a root of its own. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aptSources } from "@kgraft/kernel";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { directoryStore, makeKeyring, type PackageFile, readTrust } from "../src/mod.ts";
import { dateSeconds, maintainer, signal } from "./built.ts";
import { lintianExceptions } from "./linters.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { newKey, publicKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";

const name = "kgraft-archive-keyring";
const patch = `kgraft-patch-${release}`;
let place: Scratch;
let served: Served;
let root: string;
let keys: { readonly old: string; readonly new: string };

const at = (file: string): string => join(place.path, file);

beforeAll(async () => {
  place = await scratch();
  keys = { old: await newKey(at("old.asc")), new: await newKey(at("new.asc")) };
  await mkdir(place.repository);
  served = await serve(place.repository);
  root = at("root");
  await writeFile(at("debian.list"), await aptSources("bookworm"));
  const words = ["--quiet", "--variant=apt", "bookworm", root, at("debian.list")];
  await execa("mmdebstrap", words, { stdin: "ignore", timeout: 900_000 });
  await inside("rm", "-f", "/etc/apt/sources.list");
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

/** Both outputs of a command on the machine. */
async function inside(...words: readonly string[]): Promise<string> {
  const env = { no_proxy: "127.0.0.1", LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  return (await execa("chroot", [root, ...words], { all: true, stdin: "ignore", env })).all;
}

/** As it has to be now, a day later each time. */
async function keyring(day: number, key: string): Promise<readonly PackageFile[]> {
  const trusted = [await publicKey(key)];
  const trust = await readTrust(directoryStore(place.repository), "stable", trusted, signal);
  const directory = at(`keyring-${day}`);
  const dated = dateSeconds + day * 86_400;
  return makeKeyring(
    { directory, formats: ["deb", "rpm"], maintainer, dateSeconds: dated, trust },
    { signal },
  );
}

function paths(files: readonly PackageFile[]): readonly string[] {
  return files.map(({ path }) => path);
}

test("it is not made while nobody knows where the channel is", async () => {
  await publishWith([keys.old], place.repository, [await makeDeb(place.path, { counter: 1 })]);
  await expect(keyring(0, keys.old)).rejects.toMatchObject({
    name: "BadPublication",
    message: expect.stringContaining("found no address under which it is served"),
  });
});

test("installed, it is all that the machine needs; a new key comes with its update, and the old one goes", async () => {
  await publishWith([keys.old], place.repository, [], { settings: { url: served.url } });
  const first = await keyring(0, keys.old);
  await publishWith([keys.old], place.repository, paths(first));
  await copyFile(first[0]!.path, join(root, "keyring.deb")); // the .deb, by the formats' order
  await inside("dpkg", "--install", "/keyring.deb");
  await inside("apt-get", "update", "--error-on=any");
  expect(await inside("apt-cache", "policy", patch)).toContain("Candidate: 1-1");

  const both = [keys.old, keys.new];
  await publishWith(both, place.repository, [], { rotation: "begin" });
  await publishWith(both, place.repository, paths(await keyring(1, keys.old)));
  await inside("apt-get", "update", "--error-on=any");
  expect(await inside("apt-get", "upgrade", "--yes")).toMatch(new RegExp(`Setting up ${name} \\(20250102-`));

  await publishWith([keys.new], place.repository, [], { rotation: "finish" });
  await publishWith([keys.new], place.repository, [await makeDeb(place.path, { counter: 2 })]);
  expect(await inside("apt-get", "update", "--error-on=any")).not.toMatch(/^[WE]:/m);
  expect(await inside("apt-cache", "policy", patch)).toContain("Candidate: 2-1");
});

test("for rpm it has also the key that signed what is still there", async () => {
  await publishWith([keys.new], place.repository, [await makeRpm(place.path, { counter: 2 })]);
  const [deb, rpm] = paths(await keyring(2, keys.new)) as [string, string];
  const folder = at("unpacked");
  await mkdir(folder);
  const unpacked = await execa("rpm2cpio", [rpm], { encoding: "buffer" });
  await execa("cpio", ["-idm", "--quiet"], { cwd: folder, input: unpacked.stdout });
  const database = ["--dbpath", at("rpm-keys")];
  await execa("rpmkeys", [...database, "--import", join(folder, "etc/pki/rpm-gpg/RPM-GPG-KEY-kgraft")]);
  const published = await execa("find", [join(place.repository, "rpm/stable/Packages"), "-name", "*.rpm"]);
  const judged = await execa("rpmkeys", [...database, "--checksig", ...published.stdout.split("\n")]);
  // Two of the keyring, signed with the old key, and the live patch, signed with the new one.
  expect(judged.stdout.match(/digests signatures OK/g)?.length).toBe(3);
  for (const repo of ["etc/yum.repos.d/kgraft.repo", "etc/zypp/repos.d/kgraft.repo"]) {
    const { stdout } = await execa("cat", [join(folder, repo)]);
    expect(stdout).toContain(`baseurl=${served.url}/rpm/stable\n`);
    expect(stdout).toContain("gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-kgraft");
  }
  const suppress = `--suppress-tags=${Object.keys(lintianExceptions).join(",")}`;
  const lintian = await execa("lintian", ["--allow-root", "--fail-on=warning,error", suppress, deb], {
    reject: false,
  });
  expect(lintian.stdout).toBe("");
});
