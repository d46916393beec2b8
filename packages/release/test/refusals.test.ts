import { copyFile, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkRepository, directoryStore, type Finding, openSigner } from "../src/mod.ts";
import { type Answer, aptClient, type Client, dnfClient, zypperClient } from "./clients.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import {
  copyRepository,
  newKey,
  passphrase,
  publicKey,
  publishWith,
  scratch,
  type Scratch,
  signal,
} from "./scratch.ts";
import { serve, type Served } from "./serve.ts";

// What is done to a repository on its way, and who refuses it: the real clients, and kgraft publish --check.

const deb = `kgraft-patch-${release}`;
const rpm = `kgraft-patch-${release.replaceAll(".", "_")}`;
const daySeconds = 86_400;

let place: Scratch;
let good: string;
/** The same repository, one publication earlier. */
let earlier: string;
let trusted: string;
/** Whatever repository is looked at: machines know one address. */
let served: Served;
let keys: { readonly own: string; readonly foreign: string };

beforeAll(async () => {
  place = await scratch();
  keys = {
    own: await newKey(join(place.path, "own.asc")),
    foreign: await newKey(join(place.path, "foreign.asc")),
  };
  trusted = await publicKey(keys.own);
  good = join(place.path, "good");
  earlier = join(place.path, "earlier");
  const of = async (counter: number): Promise<readonly string[]> => [
    await makeDeb(place.path, { counter }),
    await makeRpm(place.path, { counter }),
  ];
  const now = Math.floor(Date.now() / 1000);
  served = await serve(good);
  const settings = { url: served.url };
  await publishWith([keys.own], good, await of(1), { time: now - daySeconds, settings });
  await copyRepository(good, earlier);
  await publishWith([keys.own], good, await of(2));
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

type Who = "apt" | "zypper" | "dnf";

interface Case {
  readonly name: string;
  /** What is done to a copy of the good repository. */
  readonly harm: (repository: string) => Promise<void>;
  /** Who must refuse it, with which words. */
  readonly refusedBy: Partial<Record<Who, RegExp>>;
  /** What our own check finds. */
  readonly found: RegExp;
}

/** Changes a letter of the text in the middle of a file. */
async function alter(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = bytes[at]! ^ 0x01; // in the middle of a file that is not empty
  await writeFile(path, bytes);
}

async function only(folder: string, form: RegExp): Promise<string> {
  const names = (await readdir(folder)).filter((name) => form.test(name));
  return join(folder, names.at(-1)!); // what was just published is there
}

/** The index that the present repomd.xml names. */
async function primary(repository: string): Promise<string> {
  const folder = join(repository, "rpm/stable");
  const text = await readFile(join(folder, "repodata/repomd.xml"), "utf8");
  return join(folder, /href="(repodata\/[0-9a-f]+-primary[^"]+)"/.exec(text)![1]!);
}

async function packagesByHash(repository: string): Promise<string> {
  const text = await readFile(join(repository, "dists/stable/InRelease"), "utf8");
  const hash = / ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages\.xz/.exec(text)![1]!;
  return join(repository, "dists/stable/main/binary-amd64/by-hash/SHA256", hash);
}

/** As a publisher would who asks neither rpm nor us: the index is of what is there now, and signed with our key. */
async function indexAgain(repository: string): Promise<void> {
  const folder = join(repository, "rpm/stable");
  const repomd = join(folder, "repodata/repomd.xml");
  const offered = await readFile(`${repomd}.key`);
  await rm(join(folder, "repodata"));
  await execa("createrepo_c", ["--quiet", "--no-database", "--compress-type=gz", "."], { cwd: folder });
  await using signer = await openSigner({ keys: [keys.own], passphrase, signal });
  await writeFile(`${repomd}.asc`, await signer.detachedSignature(await readFile(repomd)));
  await writeFile(`${repomd}.key`, offered);
}

/** So long ago that its time is over. */
async function publishLongAgo(repository: string): Promise<void> {
  const time = Math.floor(Date.now() / 1000) - 20 * daySeconds;
  const packages = [await makeDeb(place.path, { counter: 1 }), await makeRpm(place.path, { counter: 1 })];
  await publishWith([keys.own], repository, packages, { time, settings: { url: served.url } });
  await sleep(2000); // a signature lasts a second at least
}

const newestRpm = (repository: string): string =>
  join(repository, `rpm/stable/Packages/${rpm}-2-1.x86_64.rpm`);

const cases: readonly Case[] = [
  {
    name: "InRelease says something else than was signed",
    harm: async (repository) => {
      const path = join(repository, "dists/stable/InRelease");
      await writeFile(path, (await readFile(path, "utf8")).replace("Suite: stable", "Suite: stabil"));
    },
    refusedBy: { apt: /BADSIG|not valid|bad signature/i },
    found: /dists\/stable\/InRelease: its signature is not of these contents/,
  },
  {
    name: "InRelease is cut off",
    harm: (repository) => truncate(join(repository, "dists/stable/InRelease"), 300),
    refusedBy: { apt: /Clearsigned file isn't valid|NODATA|no longer signed|not signed/ },
    found: /dists\/stable\/InRelease: it has no signature/,
  },
  {
    name: "the index of apt is altered",
    harm: async (repository) => {
      await alter(await packagesByHash(repository));
      await alter(join(repository, "dists/stable/main/binary-amd64/Packages.xz"));
    },
    refusedBy: { apt: /Hash Sum mismatch/ },
    found: /by-hash\/SHA256\/[0-9a-f]{64}: its hash is/,
  },
  {
    name: "the index of apt is cut off",
    harm: async (repository) => {
      await truncate(await packagesByHash(repository), 100);
      await truncate(join(repository, "dists/stable/main/binary-amd64/Packages.xz"), 100);
    },
    refusedBy: { apt: /unexpected size|Hash Sum mismatch/ },
    found: /Packages\.xz: its hash is/,
  },
  {
    name: "a .deb is altered",
    harm: async (repository) => alter(join(repository, `pool/stable/${deb}/${deb}_2-1_amd64.deb`)),
    refusedBy: { apt: /Hash Sum mismatch/ },
    found: /_2-1_amd64\.deb: its hash is/,
  },
  {
    name: "a .deb is gone",
    harm: (repository) => rm(join(repository, `pool/stable/${deb}/${deb}_2-1_amd64.deb`)),
    refusedBy: { apt: /404/ },
    found: /_2-1_amd64\.deb: it is not there/,
  },
  {
    name: "the publication expired",
    harm: async (repository) => {
      await rm(repository, { recursive: true });
      await publishLongAgo(repository);
    },
    refusedBy: {
      apt: /expired|not valid yet|is expired/i,
      zypper: /Signature verification failed/,
      dnf: /Bad GPG signature/,
    },
    found: /InRelease: it expired: Valid-Until is[^]*repomd\.xml: its signature expired on 20/,
  },
  {
    name: "another key signed all of it",
    harm: async (repository) => {
      await rm(repository, { recursive: true });
      const packages = [await makeDeb(place.path, { counter: 1 }), await makeRpm(place.path, { counter: 1 })];
      await publishWith([keys.foreign], repository, packages, { settings: { url: served.url } });
    },
    refusedBy: {
      apt: /NO_PUBKEY|not signed|couldn't be verified/,
      zypper: /Do you want to reject the key|Signature verification failed/,
      dnf: /repomd.xml GPG signature verification error|Bad GPG signature|GPG/i,
    },
    found: /it is signed by [0-9A-F]{16}, which is not trusted/,
  },
  {
    name: "repomd.xml says something else than was signed",
    harm: async (repository) => {
      const path = join(repository, "rpm/stable/repodata/repomd.xml");
      await writeFile(path, (await readFile(path, "utf8")).replace("kgraft-revision-2", "kgraft-revision-3"));
    },
    refusedBy: { zypper: /Signature verification failed/, dnf: /GPG/ },
    found: /repomd\.xml: its signature is not of these contents/,
  },
  {
    name: "the signature of repomd.xml is gone",
    harm: (repository) => rm(join(repository, "rpm/stable/repodata/repomd.xml.asc")),
    refusedBy: { zypper: /is unsigned|Signature verification failed/, dnf: /GPG|404/ },
    found: /repomd\.xml\.asc: it is not there/,
  },
  {
    name: "the index of rpm is altered",
    harm: async (repository) => alter(await primary(repository)),
    refusedBy: {
      zypper: /[Dd]igest verification failed|corrupted/,
      dnf: /checksum doesn't match|Downloading successful, but checksum/i,
    },
    found: /-primary\.xml\.gz: its hash is/,
  },
  {
    name: "the index of rpm is cut off",
    harm: async (repository) => truncate(await primary(repository), 50),
    refusedBy: { zypper: /[Dd]igest verification failed|corrupted/, dnf: /checksum/i },
    found: /-primary\.xml\.gz: its hash is/,
  },
  {
    name: "an .rpm is altered",
    harm: async (repository) => alter(newestRpm(repository)),
    refusedBy: { zypper: /[Dd]igest|corrupted|wrong/i, dnf: /checksum|incorrect/i },
    found: /-2-1\.x86_64\.rpm: its hash is/,
  },
  {
    name: "an .rpm is altered, and the index says its hash",
    harm: async (repository) => {
      const bytes = await readFile(newestRpm(repository));
      bytes[bytes.length - 100] = bytes.at(-100)! ^ 0x01; // the payload is longer
      await writeFile(newestRpm(repository), bytes);
      await indexAgain(repository);
    },
    refusedBy: {
      zypper: /Payload SHA256 digest: BAD[\s\S]*Signature does not verify/,
      dnf: /digest|signature|GPG/i,
    },
    found: /-2-1\.x86_64\.rpm: rpm says: Payload SHA256 .*digest: BAD, so rpm would refuse it/,
  },
  {
    name: "an .rpm is signed by another key, and the index says its hash",
    harm: async (repository) => {
      const folder = `${repository}-foreign`;
      await mkdir(folder);
      const { added } = await publishWith([keys.foreign], folder, [await makeRpm(folder, { counter: 2 })]);
      await copyFile(join(folder, added[0]!.path), newestRpm(repository)); // one was published
      await indexAgain(repository);
    },
    refusedBy: { zypper: /Signatures public key is not available/, dnf: /not installed|GPG|signature/i },
    found: /-2-1\.x86_64\.rpm: it is signed by [0-9A-F]{8,40}, which is none of the repository's keys/,
  },
  {
    name: "an .rpm has no signature, and the index says its hash",
    harm: async (repository) => {
      await execa("rpmsign", ["--delsign", newestRpm(repository)]);
      await indexAgain(repository);
    },
    refusedBy: { zypper: /File is unsigned/, dnf: /is not signed/ },
    found: /-2-1\.x86_64\.rpm: it has no signature, so rpm would refuse it/,
  },
  {
    name: "other keys are offered than those that sign",
    harm: async (repository) => {
      for (const path of ["dists/stable/kgraft.asc", "rpm/stable/repodata/repomd.xml.key"]) {
        await writeFile(join(repository, path), await publicKey(keys.foreign));
      }
    },
    // Only by whoever has a key already: that is what it is for.
    refusedBy: {},
    found: /kgraft\.asc: it says something else .*\n.*repomd\.xml\.key: it says something else/,
  },
];

async function check(repository: string): Promise<readonly string[]> {
  const { findings } = await checkRepository({
    store: directoryStore(repository),
    channel: "stable",
    trusted: [trusted],
    signal,
  });
  return findings.map(
    ({ file, message }: Finding) => `${file}: ${message.replace(/^cannot trust .*?: /, "")}`,
  );
}

/** A machine with zypper that trusts our key. */
async function trustingZypper(folder: string, url: string): Promise<Client> {
  const zypper = await zypperClient(folder, url);
  const key = join(folder, "trusted.asc");
  await writeFile(key, trusted);
  await execa("rpmkeys", ["--root", folder, "--dbpath", "/var/lib/rpm", "--import", key]);
  return zypper;
}

/** What a machine that trusts our key says when it is to install the newest patch. */
const attempts: Readonly<Record<Who, (folder: string, url: string) => Promise<Answer>>> = {
  async apt(folder, url) {
    const apt = await aptClient(folder, url, trusted);
    const updated = await apt("apt-get", "update");
    return updated.code === 0 ? apt("apt-get", "install", "--yes", "--download-only", deb) : updated;
  },
  async zypper(folder, url) {
    const zypper = await trustingZypper(folder, url);
    const refreshed = await zypper("refresh");
    return refreshed.code === 0 ? zypper("install", rpm) : refreshed;
  },
  async dnf(folder, url) {
    const dnf = await dnfClient(folder, url);
    const key = join(folder, "trusted.asc");
    await writeFile(key, trusted);
    return dnf(`--setopt=kgraft-stable.gpgkey=file://${key}`, "install", rpm);
  },
};

describe("a good repository", () => {
  test("is taken by each client and by our own check", async () => {
    served.show(good);
    for (const [who, attempt] of Object.entries(attempts)) {
      const folder = join(place.path, `good-${who}`);
      await mkdir(folder);
      const { code, text } = await attempt(folder, served.url);
      expect({ who, code, text }).toMatchObject({ who, code: 0 });
    }
    expect(await check(good)).toEqual([]);
  });
});

describe("refused is a repository where", () => {
  test.each(cases)("$name", async ({ name, harm, refusedBy, found }) => {
    const repository = join(place.path, name.replaceAll(/\W/g, "-"));
    await copyRepository(good, repository);
    await harm(repository);
    served.show(repository);
    for (const [who, words] of Object.entries(refusedBy) as [Who, RegExp][]) {
      const folder = `${repository}-${who}`;
      await mkdir(folder);
      const { code, text } = await attempts[who](folder, served.url);
      expect({ who, text, taken: code === 0 }).toEqual({
        who,
        text: expect.stringMatching(words),
        taken: false,
      });
    }
    expect((await check(repository)).join("\n")).toMatch(found);
  });

  test("an earlier publication is served on and on, until its time is over", async () => {
    const repository = join(place.path, "standing-still");
    await publishLongAgo(repository);
    served.show(repository);
    const signature = join(repository, "rpm/stable/repodata/repomd.xml.asc");
    const over = await readFile(signature);
    // While it was good.
    await using signer = await openSigner({ keys: [keys.own], passphrase, signal });
    const repomd = await readFile(join(repository, "rpm/stable/repodata/repomd.xml"));
    await writeFile(signature, await signer.detachedSignature(repomd));
    const [zypper, dnf] = await Promise.all([
      trustingZypper(join(place.path, "still-zypper"), served.url),
      dnfClient(join(place.path, "still-dnf"), served.url),
    ]);
    expect(await zypper("refresh")).toMatchObject({ code: 0 });
    expect(await dnf("makecache")).toMatchObject({ code: 0, text: expect.not.stringContaining("Error") });
    await writeFile(signature, over);
    // zypper does not look at the signature of what it has already.
    expect(await zypper("refresh")).toMatchObject({ text: expect.stringContaining("is up to date") });
    expect(await zypper("list-patches")).toMatchObject({
      text: expect.stringContaining("Repository 'kgraft' appears to be outdated"),
    });
    expect(await dnf("--refresh", "install", rpm)).toMatchObject({
      code: 1,
      text: expect.stringContaining("Bad GPG signature"),
    });
  });

  test("an earlier publication is served again", async () => {
    // apt has seen the newer one, and does not go back; our own check sees that InRelease is not the ledger's. rpm
    // clients know no such order while the signature is good: they believe it, and leave what is installed.
    const repository = join(place.path, "replayed");
    await copyRepository(good, repository);
    served.show(repository);
    const [apt, zypper, dnf] = await Promise.all([
      aptClient(join(place.path, "replayed-apt"), served.url, trusted),
      trustingZypper(join(place.path, "replayed-zypper"), served.url),
      dnfClient(join(place.path, "replayed-dnf"), served.url),
    ]);
    expect((await apt("apt-get", "update")).code).toBe(0);
    expect((await zypper("install", rpm)).code).toBe(0);
    expect((await dnf("install", rpm)).code).toBe(0);
    for (const name of ["InRelease", "Release", "Release.gpg"].map((one) => `dists/stable/${one}`)) {
      await copyFile(join(earlier, name), join(repository, name));
    }
    for (const name of ["repomd.xml", "repomd.xml.asc"].map((one) => `rpm/stable/repodata/${one}`)) {
      await copyFile(join(earlier, name), join(repository, name));
    }
    await apt("apt-get", "update");
    expect((await apt("apt-cache", "policy", deb)).text).toContain("Candidate: 2-1");
    const going = [
      [await zypper("refresh"), await zypper("update"), await zypper("search", "--details", rpm)],
      [await dnf("--refresh", "upgrade"), await dnf("list", "--showduplicates", rpm)],
    ];
    for (const answers of going) {
      expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 0));
      const listed = answers.at(-1)!.text; // each asks at the end
      expect(listed).toMatch(/^v.*\| 1-1 .*kgraft$|\s1-1\s+kgraft-stable/m);
      expect(listed).toMatch(/^i.*\| 2-1 .*System Packages|Installed Packages\n\S+\s+2-1/m);
    }
    const findings = (await check(repository)).join("\n");
    expect(findings).toMatch(/InRelease: it is not of the last publication/);
    expect(findings).toMatch(/repomd\.xml: it is not of the last publication/);
  });
});

test.each([0, 3651])("publish() is not for %d days", async (validDays) => {
  await expect(publishWith([keys.own], good, [], { settings: { validDays } })).rejects.toMatchObject({
    name: "BadPublication",
    message: `cannot publish for ${validDays} days: wanted 1 to 3650`,
  });
});

test("publish() does not go on from a ledger that another key signed", async () => {
  const repository = join(place.path, "foreign-ledger");
  await copyRepository(good, repository);
  await expect(publishWith([keys.foreign], repository, [])).rejects.toMatchObject({
    name: "RepositoryUnfit",
    message: expect.stringMatching(/ledger\.asc: it is signed by [0-9A-F]{16}, which is not trusted/),
  });
});

test("publish() does not sign what was slipped into its own files", async () => {
  const repository = join(place.path, "tampered-ledger");
  await copyRepository(good, repository);
  await alter(await only(join(repository, "kgraft/stable/ledgers"), /json$/));
  await expect(publishWith([keys.own], repository, [])).rejects.toMatchObject({ name: "RepositoryUnfit" });
});
