/** `kgraft advisory` as a user types it: whether a fix is one that live patches are made for, and what was published. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ManifestFix } from "@kgraft/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crash, makeDeb, makeRpm, manifestOf } from "../../release/test/make-package.ts";
import { runKgraft, scratch } from "./kgraft.ts";

const low: ManifestFix = {
  id: "CVE-2026-2222",
  title: "proc: fix a leak",
  cvss: { vector: "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N", score: 3.3 },
};
const hang: ManifestFix = { id: "bug-17", title: "ext4: fix a hang", impact: "stability" };
const lost: ManifestFix = { id: "bug-18", title: "ext4: write what was written", impact: "data-corruption" };
const bare: ManifestFix = { id: "bug-19", title: "proc: a nicer text" };
const boasting: ManifestFix = { ...low, id: "CVE-2026-3333", cvss: { ...low.cvss!, score: 9.8 } };
let place: Awaited<ReturnType<typeof scratch>>;

beforeAll(async () => {
  place = await scratch();
});
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
});

async function manifest(name: string, fixes: readonly ManifestFix[]): Promise<string> {
  const path = join(place.path, `${name}.json`);
  await writeFile(path, JSON.stringify(manifestOf({ counter: 2, fixes })));
  return path;
}

describe("kgraft advisory check", () => {
  test.each<[string, readonly ManifestFix[], number, RegExp]>([
    ["a severe vulnerability", [crash], 0, /✔ CVE-2026-1234 +CVSS 7\.8 is at least 7\.0/],
    ["a small one", [low], 1, /✘ CVE-2026-2222 +CVSS 3\.3 is under 7\.0/],
    ["a fault of stability", [hang], 0, /✔ bug-17 +it is about stability/],
    ["lost data", [lost], 0, /✔ bug-18 +it is about data corruption/],
    ["neither", [bare], 1, /✘ bug-19 +it has no CVSS vector/],
    [
      "a score that its vector does not give",
      [boasting],
      1,
      /✘ CVE-2026-3333 +its vector gives CVSS 3\.3, though 9\.8 is said/,
    ],
    ["one of two in scope", [low, crash], 0, /1 of 2 fixes in scope/],
    ["no fix at all", [], 1, /it names no fix/],
  ])("%s", async (name, fixes, code, words) => {
    const file = await manifest(name.replaceAll(" ", "-"), fixes);
    const found = await runKgraft(["advisory", "check", file]);
    expect(found).toMatchObject({ code, stdout: expect.stringMatching(words) as string });
  });

  test("the threshold is policy", async () => {
    const file = await manifest("threshold", [crash]);
    const at = async (score: string): Promise<number | null> =>
      (await runKgraft(["advisory", "check", file, "--threshold", score])).code;
    expect([await at("7.8"), await at("7.9")]).toEqual([0, 1]);
    expect(await at("11")).toBe(64);
  });

  test("of packages, as of the manifest in them; one out of scope decides", async () => {
    const deb = await makeDeb(place.path, { counter: 2 });
    const rpm = await makeRpm(place.path, { counter: 3, fixes: [low] });
    const both = await runKgraft(["advisory", "check", deb, rpm, "--json"]);
    expect(JSON.parse(both.stdout)).toMatchObject({
      threshold: 7,
      inScope: false,
      patches: [
        { name: "kgraft_patch_2_1", fixes: [{ id: "CVE-2026-1234", inScope: true }] },
        { name: "kgraft_patch_3_1", fixes: [{ id: "CVE-2026-2222", inScope: false }] },
      ],
    });
    expect(both.code).toBe(1);
    expect((await runKgraft(["advisory", "check", deb])).code).toBe(0);
  });

  test("a file that is no manifest is refused with 65", async () => {
    const file = join(place.path, "broken.json");
    await writeFile(file, '{"schema": "kgraft-manifest/1"}');
    expect(await runKgraft(["advisory", "check", file])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining("broken.json") as string,
    });
  });
});

test("kgraft advisory list refuses a repository that is not there", async () => {
  const key = join(place.path, "other.asc");
  const user = "Example <patches@example.org>";
  await runKgraft(["key", "new", "--name", user, "--no-passphrase", "-o", key], {
    KGRAFT_KEY_PASSPHRASE: "",
  });
  const repository = join(place.path, "repositry");
  const where = ["--repository", repository, "--key", key];
  expect(await runKgraft(["advisory", "list", ...where], { KGRAFT_KEY_PASSPHRASE: "" })).toMatchObject({
    code: 65,
    stdout: "",
    stderr: expect.stringContaining(
      `cannot read the advisories of ${repository}: nothing was published there to channel stable`,
    ) as string,
  });
});

test("kgraft advisory list: what was published, and what was taken back", async () => {
  const [key, repository] = [join(place.path, "key.asc"), join(place.path, "repository")];
  const user = "Example <patches@example.org>";
  const where = ["--repository", repository, "--key", key];
  for (const words of [
    ["key", "new", "--name", user, "--no-passphrase", "-o", key],
    [
      "publish",
      await makeDeb(place.path, { counter: 4 }),
      await makeDeb(place.path, { counter: 5 }),
      ...where,
    ],
    ["publish", ...where, "--retract", "KGRAFT-6.1.0-55-cloud-amd64-5", "--reason", "it deadlocks"],
  ]) {
    expect({ words, ...(await runKgraft(words, { KGRAFT_KEY_PASSPHRASE: "" })) }).toMatchObject({
      words,
      code: 0,
    });
  }
  const { code, stdout } = await runKgraft(["advisory", "list", ...where], { KGRAFT_KEY_PASSPHRASE: "" });
  expect({ code, lines: stdout.trim().split("\n") }).toEqual({
    code: 0,
    lines: [
      expect.stringMatching(/^KGRAFT-6\.1\.0-55-cloud-amd64-4 +important +\S+ +\d{4}-\d\d-\d\d/) as string,
      expect.stringMatching(
        /^KGRAFT-6\.1\.0-55-cloud-amd64-5 +important +retracted +\d{4}-\d\d-\d\d/,
      ) as string,
    ],
  });
});
