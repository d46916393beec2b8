import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { addressesOf, findMirrors, sourcesList } from "./sources.ts";

const oneLine =
  "# deb http://other/debian x main\ndeb [arch=amd64 signed-by=/k] http://mirror/debian/ bookworm main\n";
const deb822 = `Types: deb\nURIs: http://mirror/debian-security https://second/debian\nSuites: bookworm-security\n`;

describe("addressesOf()", () => {
  test.each([
    ["one-line format, comments left out", oneLine, ["http://mirror/debian"]],
    ["deb822 format", deb822, ["http://mirror/debian-security", "https://second/debian"]],
    ["other schemes", "deb cdrom:[x]/ bookworm main\ndeb file:/srv/debian bookworm main", []],
  ])("%s", (_, text, wanted) => expect(addressesOf(text)).toEqual(wanted));
});

describe("sourcesList()", () => {
  const mirrors = { main: "http://m/debian", security: "http://m/debian-security" };
  test.each([
    ["bookworm", ["debian bookworm", "debian bookworm-updates", "debian-security bookworm-security"]],
    ["sid", ["debian sid"]],
    ["bookworm-backports", ["debian bookworm-backports"]],
    ["bookworm-security", ["debian-security bookworm-security"]],
  ])("%s", (suite, wanted) => {
    const lines = sourcesList(suite, mirrors).trimEnd().split("\n");
    expect(lines.map((line) => /http:\/\/m\/(.*) main$/.exec(line)?.[1])).toEqual(wanted);
    expect(lines.every((line) => line.includes("signed-by="))).toBe(true);
  });

  test.each(["", "Book worm", "x\ndeb http://evil/ y", "../etc"])("refuses %j", (suite) => {
    expect(() => sourcesList(suite, mirrors)).toThrow(/read suite/);
  });
});

describe("findMirrors()", () => {
  test("the environment comes first, its security mirror beside it", async () => {
    const mirrors = await findMirrors({ KGRAFT_MIRROR: "http://127.0.0.1:9/debian/" }, "/nonexistent");
    expect(mirrors).toEqual({
      main: "http://127.0.0.1:9/debian",
      security: "http://127.0.0.1:9/debian-security",
    });
  });

  test("refuses an address that is none", async () => {
    await expect(findMirrors({ KGRAFT_MIRROR: "ftp://x" }, "/nonexistent")).rejects.toThrow(
      /an http or https/,
    );
  });

  test("else the machine's sources, of both formats", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kgraft-sources-"));
    try {
      await expect(findMirrors({}, directory)).rejects.toMatchObject({ name: "MirrorUnknown" });
      await mkdir(join(directory, "sources.list.d"));
      await writeFile(join(directory, "sources.list.d/debian.sources"), deb822);
      await writeFile(join(directory, "sources.list"), oneLine);
      expect(await findMirrors({}, directory)).toEqual({
        main: "http://mirror/debian",
        security: "http://mirror/debian-security",
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
