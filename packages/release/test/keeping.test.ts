import { access } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { aptClient, type Client } from "./clients.ts";
import { makeDeb, release } from "./make-package.ts";
import { newKey, publicKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";

// Old live patches leave by rule: first the index, as apt sees it, a week later the disk; the initial one stays.

const deb = `kgraft-patch-${release}`;
const daySeconds = 86_400;
const start = Math.floor(Date.now() / 1000) - 10 * daySeconds;

let place: Scratch;
let key: string;
let served: Served;
let apt: Client;

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  served = await serve(place.repository);
  for (const counter of [1, 2, 3, 4]) {
    const packages = [await makeDeb(place.path, { counter })];
    const settings = { url: served.url, keepVersions: 2, keepDays: 2 };
    await publishWith([key], place.repository, packages, { time: start, settings });
  }
  apt = await aptClient(join(place.path, "apt"), served.url, await publicKey(key));
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

/** The versions that apt finds, newest first, and whether that of version 2 can still be fetched. */
async function seen(days: number): Promise<readonly [listed: readonly string[], isThere: boolean]> {
  if (days > 0) await publishWith([key], place.repository, [], { time: start + days * daySeconds });
  expect(await apt("apt-get", "update")).toMatchObject({ code: 0 });
  const { text } = await apt("apt-cache", "madison", deb);
  const second = join(place.repository, `pool/stable/${deb}/${deb}_2-1_amd64.deb`);
  const isThere = await access(second).then(
    () => true,
    () => false,
  );
  return [[...text.matchAll(/\| +(\d+-1) \|/g)].map(([, version = ""]) => version), isThere];
}

test("publish() keeps what is young, then the newest and the initial one", async () => {
  expect(await seen(0)).toEqual([["4-1", "3-1", "2-1", "1-1"], true]);
  expect(await seen(1)).toEqual([["4-1", "3-1", "2-1", "1-1"], true]);
  expect(await seen(2.5)).toEqual([["4-1", "3-1", "1-1"], true]);
  expect(await seen(9)).toEqual([["4-1", "3-1", "1-1"], true]);
  expect(await seen(9.6)).toEqual([["4-1", "3-1", "1-1"], false]);
});
