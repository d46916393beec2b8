import { expect, test } from "vitest";
import type { LedgerPackage } from "./ledger.ts";
import { defaultSettings, outdated } from "./retention.ts";

const day = 86_400;
const now = 1000 * day;

function packages(
  ages: readonly number[],
  name = "kgraft-patch-6.1.0-55-cloud-amd64",
): readonly LedgerPackage[] {
  return ages.map((age, at) => ({
    format: "deb",
    name,
    version: `${at + 1}-1`,
    architecture: "amd64",
    path: `pool/${name}/${at + 1}`,
    sizeBytes: 1,
    sha256: "",
    added: now - age * day,
  }));
}

const settings = { ...defaultSettings, keepVersions: 2, keepDays: 30 };

test.each([
  ["few versions stay, however old", [900, 800], []],
  ["the initial patch stays, however many came after it", [900, 800, 700, 600], ["2-1"]],
  ["young versions stay, however many there are", [900, 29, 28, 27, 26], []],
  ["old ones leave when enough newer ones are there", [900, 800, 700, 20, 10, 5], ["2-1", "3-1"]],
])("outdated() %s", (_, ages, wanted) => {
  expect(outdated(packages(ages), settings, now).map(({ version }) => version)).toEqual(wanted);
});

test("outdated() counts each kernel for itself", () => {
  const both = [...packages([900, 800]), ...packages([900, 800], "kgraft-patch-6.1.0-54-cloud-amd64")];
  expect(outdated(both, settings, now)).toEqual([]);
});

test("outdated() knows an initial patch by its name", () => {
  expect(outdated(packages([900, 800, 700], "kgr"), settings, now).map(({ version }) => version)).toEqual([
    "1-1",
  ]);
});
