/** A machine that knows a channel by one package, through a change of the key: a real Debian, in a root of its own. */
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inside, keyring, makeRoot, paths } from "./keyring-machine.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";
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
  served = await serve(place.repository);
  root = await makeRoot(place, "root");
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

test("it is not made while nobody knows where the channel is", async () => {
  await publishWith([keys.old], place.repository, [await makeDeb(place.path, { counter: 1 })]);
  await expect(keyring(place, 0, keys.old)).rejects.toMatchObject({
    name: "BadPublication",
    message: expect.stringContaining("found no address under which it is served"),
  });
});

test("installed, it is all that the machine needs; a new key comes with its update, and the old one goes", async () => {
  await publishWith([keys.old], place.repository, [], { settings: { url: served.url } });
  const first = await keyring(place, 0, keys.old);
  await publishWith([keys.old], place.repository, paths(first));
  await copyFile(first[0]!.path, join(root, "keyring.deb")); // the .deb, by the formats' order
  await inside(root, "dpkg", "--install", "/keyring.deb");
  await inside(root, "apt-get", "update", "--error-on=any");
  expect(await inside(root, "apt-cache", "policy", patch)).toContain("Candidate: 1-1");

  const both = [keys.old, keys.new];
  await publishWith(both, place.repository, [], { rotation: "begin" });
  await publishWith(both, place.repository, paths(await keyring(place, 1, keys.old)));
  await inside(root, "apt-get", "update", "--error-on=any");
  expect(await inside(root, "apt-get", "upgrade", "--yes")).toMatch(
    new RegExp(`Setting up ${name} \\(20250102-`),
  );

  await publishWith([keys.new], place.repository, [], { rotation: "finish" });
  await publishWith([keys.new], place.repository, [await makeDeb(place.path, { counter: 2 })]);
  expect(await inside(root, "apt-get", "update", "--error-on=any")).not.toMatch(/^[WE]:/m);
  expect(await inside(root, "apt-cache", "policy", patch)).toContain("Candidate: 2-1");
});

test("for rpm it has also the key that signed what is still there", async () => {
  await publishWith([keys.new], place.repository, [await makeRpm(place.path, { counter: 2 })]);
  const rpm = paths(await keyring(place, 2, keys.new), "rpm")[0]!; // both formats were made
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
});
