import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkRepository, directoryStore } from "../src/mod.ts";
import { aptClient, type Client, dnfClient, zypperClient } from "./clients.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { copyRepository, newKey, publicKey, publishWith, scratch, type Scratch, signal } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";

// A key is changed, and machines that knew the old one go on: first with both keys, then with the new one alone.

const rpm = `kgraft-patch-${release.replaceAll(".", "_")}`;

let place: Scratch;
let served: Served;
let keys: { readonly old: string; readonly new: string };
let apt: Client;
let zypper: Client;
let dnf: Client;

async function patch(counter: number): Promise<readonly string[]> {
  const folder = join(place.path, `packages-${counter}`);
  await mkdir(folder);
  return [await makeDeb(folder, { counter }), await makeRpm(folder, { counter })];
}

beforeAll(async () => {
  place = await scratch();
  keys = { old: await newKey(join(place.path, "old.asc")), new: await newKey(join(place.path, "new.asc")) };
  served = await serve(place.repository);
  await publishWith([keys.old], place.repository, await patch(1), { settings: { url: served.url } });
  apt = await aptClient(join(place.path, "apt"), served.url, await publicKey(keys.old));
  zypper = await zypperClient(join(place.path, "zypper"), served.url);
  dnf = await dnfClient(join(place.path, "dnf"), served.url);
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

test("machines know the old key", async () => {
  expect(await zypper("--gpg-auto-import-keys", "refresh")).toMatchObject({ code: 0 });
  expect(await zypper("install", rpm)).toMatchObject({ code: 0 });
  expect(await dnf("install", rpm)).toMatchObject({ code: 0 });
});

test("publish() with the new key alone is refused: it must be told of the rotation", async () => {
  await expect(publishWith([keys.old, keys.new], place.repository, [])).rejects.toMatchObject({
    name: "KeyUnfit",
  });
});

test("in the overlap machines go on with the old key", async () => {
  await publishWith([keys.old, keys.new], place.repository, [], { rotation: "begin" });
  await publishWith([keys.old, keys.new], place.repository, await patch(2));
  expect(await apt("apt-get", "update")).toMatchObject({ code: 0 });
  // No key is asked for: the old one is good for all of it.
  expect(await zypper("refresh")).toMatchObject({ code: 0 });
  expect(await zypper("patch")).toMatchObject({ code: 0 });
  expect(await dnf("--refresh", "upgrade")).toMatchObject({ code: 0 });
  expect(await dnf("list", "--installed", rpm)).toMatchObject({ text: expect.stringContaining("2-1") });
});

test("after it the new key is enough", async () => {
  // What the keyring package brings in the meantime, or whoever looks after the machine.
  const published = await readFile(join(place.repository, "dists/stable/kgraft.asc"), "utf8");
  await writeFile(join(place.path, "apt/etc/apt/keyrings/kgraft.asc"), published);
  const fresh = join(place.path, "fresh.asc");
  await writeFile(fresh, await publicKey(keys.new));
  const root = join(place.path, "zypper");
  await execa("rpmkeys", ["--root", root, "--dbpath", "/var/lib/rpm", "--import", fresh]);
  await publishWith([keys.new], place.repository, [], { rotation: "finish" });
  await publishWith([keys.new], place.repository, await patch(3));
  expect(await apt("apt-get", "update")).toMatchObject({ code: 0 });
  expect(await zypper("refresh")).toMatchObject({ code: 0 });
  expect(await zypper("patch")).toMatchObject({ code: 0 });
  expect(await zypper("search", "--installed-only", "--details", rpm)).toMatchObject({
    text: expect.stringMatching(/\| 3-1 /),
  });
  expect(await dnf("--refresh", "upgrade")).toMatchObject({ code: 0 });
  expect(await dnf("list", "--installed", rpm)).toMatchObject({ text: expect.stringContaining("3-1") });
  // Old packages are still there, signed with the old key, which is still told of.
  expect(await dnf("downgrade", `${rpm}-1-1`)).toMatchObject({ code: 0 });
});

test("a machine that comes after it is asked for the old key with the first old package", async () => {
  const fresh = await zypperClient(join(place.path, "fresh"), served.url);
  expect(await fresh("--gpg-auto-import-keys", "refresh")).toMatchObject({ code: 0 });
  expect(await fresh("install", `${rpm}=1-1`)).toMatchObject({
    text: expect.stringContaining("Signatures public key is not available"),
  });
  expect(await fresh("--gpg-auto-import-keys", "install", `${rpm}=1-1`)).toMatchObject({ code: 0 });
});

test("a machine that slept through the overlap is refused, not misled", async () => {
  const late = await aptClient(join(place.path, "late"), served.url, await publicKey(keys.old));
  expect(await late("apt-get", "update")).toMatchObject({
    code: 100,
    text: expect.stringMatching(/NO_PUBKEY|not signed/),
  });
});

test("the old key alone publishes nothing any more", async () => {
  const repository = join(place.path, "copy");
  await copyRepository(place.repository, repository);
  await expect(publishWith([keys.old], repository, [])).rejects.toMatchObject({ name: "RepositoryUnfit" });
  const report = await checkRepository({
    store: directoryStore(repository),
    channel: "stable",
    trusted: [await publicKey(keys.new)],
    signal,
  });
  expect(report.findings).toEqual([]);
});
