import { copyFile, mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeDeb, makeRpm } from "./make-package.ts";
import { newKey, publicKey, publishWith, scratch, type Scratch } from "./scratch.ts";

// What is no whole package is refused before anything is written, with a typed error that says what was found.

let place: Scratch;
let key: string;
let good: { readonly deb: string; readonly rpm: string };

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  good = { deb: await makeDeb(place.path, { counter: 2 }), rpm: await makeRpm(place.path, { counter: 2 }) };
});
afterAll(() => place?.[Symbol.asyncDispose]());

async function harmed(from: string, harm: (path: string) => Promise<void>): Promise<string> {
  const path = `${from}.bad`;
  await copyFile(from, path);
  await harm(path);
  return path;
}

const cases: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
  [
    "is not there",
    () => Promise.resolve("/nowhere/x.deb"),
    /cannot read \/nowhere\/x\.deb: it is not there$/,
  ],
  ["is empty", () => harmed(good.deb, (path) => truncate(path, 0)), /it is empty, wanted a \.deb or \.rpm/],
  ["is something else", () => harmed(good.deb, (path) => writeFile(path, "#!/bin/sh\n")), /it begins with/],
  ["is a .deb cut off in its header", () => harmed(good.deb, (path) => truncate(path, 100)), /dpkg-deb says/],
  ["is a .deb cut off in its data", () => harmed(good.deb, (path) => truncate(path, 9000)), /dpkg-deb says/],
  [
    "is an .rpm cut off in its header",
    () => harmed(good.rpm, (path) => truncate(path, 1000)),
    /rpmkeys says/,
  ],
  ["is an .rpm cut off in its data", () => harmed(good.rpm, (path) => truncate(path, 6000)), /rpmkeys says/],
];

test.each(cases)("publish() refuses a package that %s", async (_, make, message) => {
  const publishing = publishWith([key], place.repository, [await make()]);
  await expect(publishing).rejects.toMatchObject({
    name: "PackageUnfit",
    message: expect.stringMatching(message),
  });
});

test("publish() refuses other contents under a version that is there", async () => {
  await publishWith([key], place.repository, [good.deb]);
  const other = await makeDeb(place.path, { counter: 2, salt: "other" });
  await expect(publishWith([key], place.repository, [other])).rejects.toMatchObject({
    name: "PackageUnfit",
    message: expect.stringContaining("2-1 is there already, with other contents"),
  });
});

test("publish() takes an .rpm that is signed with its key, and refuses one that another key signed", async () => {
  // Another channel's publisher signs what it publishes, in its own copy.
  const signedBy = async (by: string, name: string): Promise<string> => {
    const elsewhere = join(place.path, name);
    await mkdir(elsewhere);
    const { added } = await publishWith([by], elsewhere, [
      await makeRpm(place.path, { counter: 3, salt: name }),
    ]);
    return join(elsewhere, added[0]!.path); // one was published
  };
  const foreign = await signedBy(await newKey(join(place.path, "foreign.asc")), "foreign");
  await expect(publishWith([key], place.repository, [foreign])).rejects.toMatchObject({
    name: "PackageUnfit",
    message: expect.stringMatching(
      /foreign\/rpm\/.*: it is signed by [0-9A-F]{8,40}, which is none of the repository's keys, so/,
    ),
  });
  // rpm itself says the same of it, with that key alone.
  const database = ["--dbpath", join(place.path, "rpm-keys")];
  const armored = join(place.path, "public.asc");
  await writeFile(armored, await publicKey(key));
  await execa("rpmkeys", [...database, "--import", armored]);
  const own = await signedBy(key, "own");
  const judged = await Promise.all(
    [foreign, own].map(
      async (file) => (await execa("rpmkeys", [...database, "-K", file], { reject: false })).exitCode,
    ),
  );
  expect(judged).toEqual([1, 0]);
  // As its own key signed it, so it stays, and the hint leads there, too.
  await publishWith([key], place.repository, [own]);
  await execa("rpmsign", ["--delsign", foreign]);
  const other = join(place.path, "again");
  await publishWith([key], other, [foreign]);
});
