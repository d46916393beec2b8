import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { checkRepository, directoryStore } from "../src/mod.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { copyRepository, newKey, publicKey, publishWith, scratch, type Scratch, signal } from "./scratch.ts";

// Advisories and their feeds are not signed themselves: what was slipped into them is found by the ledger, which is.

const id = `KGRAFT-${release}-2`;
const feeds = "advisories/stable";
let place: Scratch;
let key: string;
let repository: string;
let copies = 0;

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  for (const counter of [1, 2, 3]) {
    const packages = [await makeDeb(place.path, { counter }), await makeRpm(place.path, { counter })];
    await publishWith([key], place.repository, packages);
  }
});
beforeEach(async () => {
  repository = join(place.path, `copy-${copies++}`);
  await copyRepository(place.repository, repository);
});
afterAll(() => place?.[Symbol.asyncDispose]());

async function findings(): Promise<readonly string[]> {
  const trusted = [await publicKey(key)];
  const store = directoryStore(repository);
  const report = await checkRepository({ store, channel: "stable", trusted, signal });
  return report.findings.map(({ file, message }) => `${file}: ${message}`);
}

async function replaceIn(file: string, from: string, to: string): Promise<void> {
  const path = join(repository, file);
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

describe("publish --check", () => {
  test("has nothing to say of what was published", async () => {
    expect(await findings()).toEqual([]);
  });

  const cases: readonly (readonly [what: string, file: string, harm: (file: string) => Promise<void>])[] = [
    ["an advisory of another severity", `${id}.json`, (file) => replaceIn(file, "important", "low")],
    [
      "an OSV record that is withdrawn",
      `osv/${id}.json`,
      (file) => replaceIn(file, "published", "withdrawn"),
    ],
    ["an OpenVEX document of another CVE", `openvex/${id}.json`, (file) => replaceIn(file, "1234", "1235")],
    [
      "an index with one more",
      "osv/modified_id.csv",
      (file) => appendFile(join(repository, file), "2026-01-01T00:00:00Z,KGRAFT-0\n"),
    ],
  ];
  test.each(cases)("finds %s, and what it says to do mends it", async (_, name, harm) => {
    const file = `${feeds}/${name}`;
    await harm(file);
    expect(await findings()).toEqual([
      `${file}: it says something else than the ledger: remove kgraft/stable/finished and publish again, with no package if there is none`,
    ]);
    await rm(join(repository, "kgraft/stable/finished"));
    await publishWith([key], repository, []);
    expect(await findings()).toEqual([]);
  });

  test("finds a feed that is gone", async () => {
    await rm(join(repository, feeds, "osv", `${id}.json`));
    expect(await findings()).toEqual([`${feeds}/osv/${id}.json: it is not there`]);
  });
});

test("publish() writes all feeds anew where the publisher has another name", async () => {
  await publishWith([key], repository, [], { settings: { origin: "Another" } });
  expect(await readFile(join(repository, feeds, "openvex", `${id}.json`), "utf8")).toContain(
    '"author": "Another"',
  );
  expect(await findings()).toEqual([]);
});
