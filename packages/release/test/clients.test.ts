import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aptClient, type Client, dnfClient, zypperClient } from "./clients.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { newKey, publicKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";

// What the real clients make of a repository: find, install, upgrade, list advisories, leave alone what was retracted.

const deb = `kgraft-patch-${release}`;
const rpm = `kgraft-patch-${release.replaceAll(".", "_")}`;
const advisory = (counter: number): string => `KGRAFT-${release}-${counter}`;

let place: Scratch;
let served: Served;
let key: string;
let apt: Client;
let zypper: Client;
let dnf: Client;

async function publishPatch(counter: number): Promise<void> {
  const folder = join(place.path, `packages-${counter}`);
  await mkdir(folder);
  const packages = [await makeDeb(folder, { counter }), await makeRpm(folder, { counter })];
  await publishWith([key], place.repository, packages, { settings: { url: served.url } });
}

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  served = await serve(place.repository);
  await publishPatch(1);
  const other = await makeRpm(place.path, { release: "6.1.0-54-cloud-amd64", counter: 1 });
  await publishWith([key], place.repository, [other]);
  apt = await aptClient(join(place.path, "apt"), served.url, await publicKey(key));
  zypper = await zypperClient(join(place.path, "zypper"), served.url);
  dnf = await dnfClient(join(place.path, "dnf"), served.url);
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

async function ok(answer: ReturnType<Client>): Promise<string> {
  const { code, text } = await answer;
  expect({ code, text }).toEqual({ code: 0, text: expect.any(String) });
  return text;
}

describe("the initial patch", () => {
  test("apt finds it by hash and downloads it", async () => {
    await ok(apt("apt-get", "update"));
    expect(await ok(apt("apt-cache", "policy", deb))).toContain("Candidate: 1-1");
    await ok(apt("apt-get", "install", "--yes", "--download-only", deb));
    const archives = await readdir(join(place.path, "apt/var/cache/apt/archives"));
    expect(archives).toContain(`${deb}_1-1_amd64.deb`);
    expect(served.asked.filter((path) => path.includes("/by-hash/SHA256/"))).toHaveLength(1);
    expect(served.asked.filter((path) => path.endsWith("/Packages.xz"))).toEqual([]);
  });

  test("zypper refuses the key until it is trusted, then installs", async () => {
    expect((await zypper("refresh")).code).toBe(4);
    await ok(zypper("--gpg-auto-import-keys", "refresh"));
    await ok(zypper("install", rpm));
    expect(await ok(zypper("search", "--installed-only", "--details", rpm))).toMatch(/^i.*\| 1-1 /m);
    expect(await ok(zypper("list-patches"))).toContain("No updates found");
  });

  test("dnf installs it, with the package's own signature checked", async () => {
    expect(await ok(dnf("install", rpm))).toContain("Key imported successfully");
    expect(await ok(dnf("updateinfo", "list"))).not.toContain("KGRAFT");
  });
});

describe("the next patch", () => {
  const listed = new RegExp(`CVE-2026-1234 +Important/Sec\\. +${rpm}-2-1`);
  beforeAll(async () => publishPatch(2));

  test("apt offers it as an upgrade", async () => {
    await ok(apt("apt-get", "update"));
    expect(await ok(apt("apt-cache", "policy", deb))).toMatch(/Candidate: 2-1[\s\S]* 1-1 500/);
  });

  test("zypper lists it by its CVE and installs it as a patch", async () => {
    await ok(zypper("refresh"));
    expect(await ok(zypper("list-patches", "--cve=CVE-2026-1234"))).toMatch(
      new RegExp(`cve +\\| CVE-2026-1234 +\\| ${advisory(2)} +\\| security +\\| important`),
    );
    expect(await ok(zypper("list-patches", "--severity", "important"))).toContain(advisory(2));
    expect(await ok(zypper("list-patches", "--cve=CVE-2026-9999"))).toContain("No matching issues found");
    const { code, text } = await zypper("patch");
    expect({ code, text }).toMatchObject({ code: 0, text: expect.stringContaining(advisory(2)) });
    expect(text).not.toMatch(/reboot/i);
    expect(await ok(zypper("search", "--installed-only", "--details", rpm))).toMatch(/^i.*\| 2-1 /m);
    expect(await ok(zypper("list-patches"))).toContain("No updates found");
  });

  test("zypper goes back with --oldpackage, and removes", async () => {
    await ok(zypper("install", "--oldpackage", `${rpm}=1-1`));
    expect(await ok(zypper("list-patches", "--cve"))).toContain(advisory(2));
    // Debian's zypper cannot read an rpm database with nothing in it.
    await ok(zypper("install", "kgraft-patch-6_1_0-54-cloud-amd64"));
    await ok(zypper("remove", rpm));
    // A patch is needed only where a lower version is installed.
    expect(await ok(zypper("list-patches", "--cve"))).toContain("No matching issues found");
  });

  test("dnf lists it by its CVE and upgrades to it", async () => {
    expect(await ok(dnf("--refresh", "updateinfo", "list", "cves"))).toMatch(listed);
    await ok(dnf("upgrade", "--security"));
    expect(await ok(dnf("list", "--installed", rpm))).toContain("2-1");
    expect(await ok(dnf("updateinfo", "list", "cves"))).not.toMatch(listed);
  });

  test("dnf goes back, which is told again, and removes, which leaves nothing to tell", async () => {
    await ok(dnf("downgrade", `${rpm}-1-1`));
    expect(await ok(dnf("list", "--installed", rpm))).toContain("1-1");
    expect(await ok(dnf("updateinfo", "list", "cves"))).toMatch(listed);
    await ok(dnf("remove", rpm));
    expect(await dnf("list", "--installed", rpm)).toMatchObject({ code: 1 });
    expect(await ok(dnf("updateinfo", "list", "cves"))).not.toMatch(listed);
  });
});

describe("a patch that was retracted", () => {
  beforeAll(async () => {
    await publishPatch(3);
    await publishWith([key], place.repository, [], {
      retract: { advisory: advisory(3), reason: "it deadlocks under memory pressure" },
    });
  });

  test("is not offered by apt", async () => {
    await ok(apt("apt-get", "update"));
    expect(await ok(apt("apt-cache", "policy", deb))).toContain("Candidate: 2-1");
  });

  test("is not offered by zypper, which knows that it was retracted", async () => {
    await ok(zypper("refresh"));
    await ok(zypper("install", `${rpm}=1-1`));
    expect(await ok(zypper("list-patches", "--cve"))).not.toContain(advisory(3));
    await ok(zypper("patch"));
    expect(await ok(zypper("search", "--installed-only", "--details", rpm))).toMatch(/^i.*\| 2-1 /m);
    expect(await ok(zypper("info", "-t", "patch", advisory(3)))).toMatch(/retracted/i);
  });

  test("is not offered by dnf", async () => {
    await ok(dnf("--refresh", "install", `${rpm}-1-1`));
    await ok(dnf("upgrade"));
    expect(await ok(dnf("list", "--installed", rpm))).toContain("2-1");
  });

  test("is not published again under its number", async () => {
    const folder = join(place.path, "again");
    await mkdir(folder);
    const packages = [await makeRpm(folder, { counter: 3, rebuild: 2 })];
    await expect(publishWith([key], place.repository, packages)).rejects.toMatchObject({
      name: "BadPublication",
      message: expect.stringContaining(`${advisory(3)} was retracted`),
    });
  });
});
