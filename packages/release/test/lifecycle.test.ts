import { appendFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  checkRepository,
  defaultLifecyclePolicy,
  directoryStore,
  type Finding,
  parseLifecycleJson,
  parseLifecycleText,
} from "../src/mod.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { newKey, publicKey, publishWith, scratch, type Scratch, signal } from "./scratch.ts";

// What a repository says of each kernel's end, through publications of real packages.

const start = Date.UTC(2026, 10, 25, 12) / 1000;
const monthSeconds = 31 * 86_400;
const other = "6.1.0-56-cloud-amd64";

let place: Scratch;
let key: string;

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
});
afterAll(() => place?.[Symbol.asyncDispose]());

async function told(file: string): Promise<string> {
  return readFile(join(place.repository, "lifecycle/stable", file), "utf8");
}

/** Until when, by release; both files say the same. */
async function ends(): Promise<Readonly<Record<string, string>>> {
  const { kernels } = parseLifecycleJson(await told("lifecycle.json"), "lifecycle.json");
  const lines = parseLifecycleText(await told("kgraft.lifecycle"), "kgraft.lifecycle");
  expect(lines.map(({ name, until }) => [name, until])).toEqual(
    kernels.flatMap(({ packages, until }) => packages.map((name) => [name, until])),
  );
  return Object.fromEntries(kernels.map((kernel) => [kernel.release, kernel.until]));
}

test("a kernel's end is reckoned from its first live patch, kept, and changed by the publisher alone", async () => {
  const publishing = async (
    packages: readonly string[],
    months: number,
    more: Partial<Parameters<typeof publishWith>[3]> = {},
  ): Promise<Readonly<Record<string, string>>> => {
    await publishWith([key], place.repository, packages, { time: start + months * monthSeconds, ...more });
    return ends();
  };
  const first = [await makeDeb(place.path, { counter: 1 }), await makeRpm(place.path, { counter: 1 })];
  expect(await publishing(first, 0)).toEqual({ [release]: "2027-11-25" });
  expect(await publishing([await makeDeb(place.path, { counter: 2 })], 1)).toEqual({
    [release]: "2027-11-25",
  });

  const short = { settings: { lifecycle: { ...defaultLifecyclePolicy, months: 3 } } };
  const next = await makeRpm(place.path, { counter: 1, release: other });
  expect(await publishing([next], 2, short)).toEqual({ [release]: "2027-11-25", [other]: "2027-04-26" });
  // The policy stays until another is given.
  expect(await publishing([], 3)).toEqual({ [release]: "2027-11-25", [other]: "2027-04-26" });
  const cut = {
    settings: { lifecycle: { ...defaultLifecyclePolicy, kernels: { [release]: "2027-01-01" } } },
  };
  expect(await publishing([], 4, cut)).toEqual({ [release]: "2027-01-01", [other]: "2028-01-26" });
});

test("files that an interrupted publication did not write come with the next one", async () => {
  const before = await ends();
  await rm(join(place.repository, "lifecycle"), { recursive: true });
  await rm(join(place.repository, "kgraft/stable/finished"));
  const { finishedAnother } = await publishWith([key], place.repository, [], {
    time: start + 5 * monthSeconds,
  });
  expect(finishedAnother).toBe(true);
  expect(await ends()).toEqual(before);
});

test("publish --check finds files that say something else", async () => {
  const check = async (): Promise<readonly Finding[]> => {
    const trusted = [await publicKey(key)];
    const store = directoryStore(place.repository);
    const time = start + 5 * monthSeconds;
    return (await checkRepository({ store, channel: "stable", trusted, time, signal })).findings;
  };
  expect(await check()).toEqual([]);
  const path = "lifecycle/stable/kgraft.lifecycle";
  await appendFile(join(place.repository, path), "kgraft-patch-*, *, 2099-01-01\n");
  expect(await check()).toEqual([
    { file: path, message: expect.stringMatching(/^it says something else than the ledger/) },
  ]);
});
