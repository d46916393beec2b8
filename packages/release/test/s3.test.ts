import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import S3rver from "s3rver";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runKgraft } from "../../cli/test/kgraft.ts";
import { checkRepository, openSigner, type Publication, publish, s3Store } from "../src/mod.ts";
import { aptClient, dnfClient } from "./clients.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { newKey, passphrase, publicKey, scratch, type Scratch, signal } from "./scratch.ts";

// A repository in a bucket: written through the S3 API of a real server, read over HTTP from the same bucket.

const deb = `kgraft-patch-${release}`;
const rpm = `kgraft-patch-${release.replaceAll(".", "_")}`;

let place: Scratch;
let server: S3rver;
let key: string;
let env: NodeJS.ProcessEnv;
let url: string;

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  const directory = join(place.path, "buckets");
  await mkdir(directory);
  server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: "patches", configs: [] }],
  });
  const { port } = await server.run();
  url = `http://127.0.0.1:${port}`;
  env = { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };
});
afterAll(async () => {
  await server?.close();
  await place?.[Symbol.asyncDispose]();
});

async function publishTo(address: string, packages: readonly string[], own = env): Promise<Publication> {
  await using signer = await openSigner({ keys: [key], passphrase, signal });
  const store = s3Store(address, { env: own, signal });
  const settings = { url: `${url}/patches/live` };
  return await publish({ store, channel: "stable", packages, signer, settings }, { signal });
}

test("publish() into a bucket, and apt and dnf take it from there", async () => {
  await publishTo("s3://patches/live", [
    await makeDeb(place.path, { counter: 1 }),
    await makeRpm(place.path, { counter: 1 }),
  ]);
  const second = await publishTo("s3://patches/live", [
    await makeDeb(place.path, { counter: 2 }),
    await makeRpm(place.path, { counter: 2 }),
  ]);
  expect(second).toMatchObject({ revision: 2, added: [{ name: deb }, { name: rpm }] });
  const trusted = await publicKey(key);
  const apt = await aptClient(join(place.path, "apt"), `${url}/patches/live`, trusted);
  expect(await apt("apt-get", "update")).toMatchObject({ code: 0 });
  expect(await apt("apt-get", "install", "--yes", "--download-only", deb)).toMatchObject({ code: 0 });
  const dnf = await dnfClient(join(place.path, "dnf"), `${url}/patches/live`);
  expect(await dnf("install", rpm)).toMatchObject({ code: 0, text: expect.stringContaining("2-1") });
  const store = s3Store("s3://patches/live", { env, signal });
  const report = await checkRepository({ store, channel: "stable", trusted: [trusted], signal });
  expect(report).toMatchObject({ findings: [], packages: 4 });
});

test("kgraft publish into a bucket by its address, and --check", async () => {
  const passphraseFile = join(place.path, "passphrase");
  await writeFile(passphraseFile, `${passphrase}\n`);
  const where = [
    "--repository",
    "s3://patches/by-command",
    "--key",
    key,
    "--passphrase-file",
    passphraseFile,
  ];
  const third = await makeDeb(place.path, { counter: 3 });
  expect(await runKgraft(["publish", third, ...where], env)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/s3:\/\/patches\/by-command stable: publication 1, valid until/),
  });
  expect(await runKgraft(["publish", "--check", ...where], env)).toMatchObject({ code: 0 });
});

test.each([
  ["a bucket that is not there", "s3://nowhere", {}, "StoreFailed", /found status 404 .*wanted 200/],
  ["a wrong address", "s3://X", {}, "BadPublication", /wanted s3:\/\/BUCKET/],
  [
    "no credentials",
    "s3://patches",
    { AWS_ACCESS_KEY_ID: "" },
    "BadPublication",
    /AWS_ACCESS_KEY_ID is not set/,
  ],
  [
    "half of the credentials",
    "s3://patches",
    { AWS_SECRET_ACCESS_KEY: "" },
    "BadPublication",
    /AWS_SECRET_ACCESS_KEY is not set/,
  ],
  [
    "an endpoint that is none",
    "s3://patches",
    { AWS_ENDPOINT_URL: "patches" },
    "BadPublication",
    /cannot read AWS_ENDPOINT_URL/,
  ],
  [
    "a server that is not there",
    "s3://patches",
    { AWS_ENDPOINT_URL: "http://127.0.0.1:9" },
    "StoreFailed",
    /cannot reach/,
  ],
])("publish() tells of %s", async (_, address, change, name, message) => {
  await expect(publishTo(address, [], { ...env, ...change })).rejects.toMatchObject({
    name,
    message: expect.stringMatching(message),
  });
});
