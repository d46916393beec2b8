import type { Advisory, Manifest } from "@kgraft/contract";
import { advisorySchema } from "@kgraft/contract";
import { describe, expect, test } from "vitest";
import { makeAdvisory, wantsAdvisory } from "./make-advisory.ts";
import { openVexDocument } from "./openvex.ts";
import { osvIndex, osvRecord } from "./osv.ts";
import { updateElement, xmlText } from "./updateinfo.ts";

const vector = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";
const manifest: Manifest = {
  schema: "kgraft-manifest/1",
  name: "kgraft_patch_2_1",
  kernel: {
    release: "6.1.0-55-cloud-amd64",
    packageVersion: "6.1.192-2",
    architecture: "amd64",
    buildId: "0123456789",
  },
  module: { file: "x.ko", sha256: "0".repeat(64), sizeBytes: 1 },
  fixes: [
    { id: "CVE-2026-1234", title: 'ext4: a "quoted" <crash> & more', cvss: { vector, score: 7.8 } },
    { id: "bsc#1", title: "no CVE" },
  ],
  functions: [],
  sources: [],
  compiler: "gcc",
};
const rpm = {
  format: "rpm",
  name: "kgraft-patch-6_1_0-55-cloud-amd64",
  version: "2-1",
  architecture: "x86_64",
  file: "a.rpm",
} as const;
const deb = {
  format: "deb",
  name: "kgraft-patch-6.1.0-55-cloud-amd64",
  version: "2-1",
  architecture: "amd64",
  file: "a.deb",
} as const;
const first = makeAdvisory(manifest, rpm, undefined, 1_795_574_400);
const both = makeAdvisory(manifest, deb, first, 1_795_574_500);
const retracted: Advisory = { ...both, status: "retracted", reason: "it deadlocks" };

describe("makeAdvisory()", () => {
  test("is what its own schema accepts, with both formats in one advisory", () => {
    expect(advisorySchema.parse(both)).toEqual(both);
    expect(both).toMatchObject({
      id: "KGRAFT-6.1.0-55-cloud-amd64-2",
      type: "security",
      severity: "important",
      issued: first.issued,
      packages: [{ format: "rpm" }, { format: "deb" }],
    });
  });

  test("a rebuild takes the place of what was built before", () => {
    const again = makeAdvisory(manifest, { ...rpm, version: "2-2" }, both, 1_795_574_600);
    expect(again.packages.map(({ version }) => version)).toEqual(["2-1", "2-2"]);
  });

  test("the initial patch repairs nothing, so nothing is told of it", () => {
    expect(wantsAdvisory({ ...manifest, fixes: [] }, 1)).toBe(false);
    expect(wantsAdvisory({ ...manifest, fixes: [] }, 2)).toBe(true);
    expect(wantsAdvisory(manifest, 1)).toBe(true);
  });
});

describe("updateElement()", () => {
  test("escapes what the fixes say, and suggests no reboot", () => {
    const xml = updateElement(both, "Example");
    expect(xml).toContain("ext4: a &#34;quoted&#34; &#60;crash&#62; &#38; more");
    expect(xml).toContain(
      '<package name="kgraft-patch-6_1_0-55-cloud-amd64" epoch="0" version="2" release="1"',
    );
    expect(xml).not.toMatch(/reboot_suggested|a\.deb/);
  });

  test("says that it was retracted, and why", () => {
    expect(updateElement(retracted, "Example")).toMatch(/status="retracted"[\s\S]*Retracted: it deadlocks/);
  });

  test("xmlText() leaves no character that XML has not", () => {
    expect(xmlText("a\u0000\u001b[1m\uFFFEb\n")).toBe("a\uFFFD\uFFFD[1m\uFFFDb\n");
  });
});

// The forms are those of the OSV schema 1.7 and of OpenVEX 0.2.0; no registry's package carries the schemas. OSV's has
// one rule that these do not keep: an id begins with the name of a database that OSV.dev takes in, and ours is private.
describe("osvRecord()", () => {
  test("names the versions without the fix, package by package", () => {
    expect(osvRecord(both)).toMatchObject({
      schema_version: "1.7.0",
      id: expect.stringMatching(/^[A-Z]+-\S+$/),
      modified: "2026-11-25T02:41:40Z",
      upstream: ["CVE-2026-1234"],
      severity: [{ type: "CVSS_V3", score: vector }],
      affected: [
        {
          package: { ecosystem: "SUSE" },
          ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "2-1" }] }],
        },
        { package: { ecosystem: "Debian" } },
      ],
    });
    expect(osvRecord(both)).not.toHaveProperty("withdrawn");
    expect(osvRecord(retracted)).toHaveProperty("withdrawn", retracted.updated);
  });

  test("osvIndex() has the newest first", () => {
    const index = osvIndex([
      { id: "A", updated: "2026-01-01T00:00:00Z" },
      { id: "B", updated: "2026-01-02T00:00:00Z" },
    ]);
    expect(index).toBe("2026-01-02T00:00:00Z,B\n2026-01-01T00:00:00Z,A\n");
  });
});

describe("openVexDocument()", () => {
  test("a CVE is fixed in each package; what has no CVE is no statement", () => {
    expect(openVexDocument(both, "Example")).toMatchObject({
      "@context": "https://openvex.dev/ns/v0.2.0",
      author: "Example",
      statements: [{ vulnerability: { name: "CVE-2026-1234" }, status: "fixed", products: [{}, {}] }],
    });
    expect(openVexDocument(retracted, "Example")).toMatchObject({
      statements: [{ status: "under_investigation" }],
    });
    expect(openVexDocument({ ...both, fixes: [] }, "Example")).toBeUndefined();
  });
});
