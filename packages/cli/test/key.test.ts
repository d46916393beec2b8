/** `kgraft key` as a user types it: a key in a file with a passphrase, one in an agent, and the change from one to the next. */
import { execFile } from "node:child_process";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeDeb, makeRpm } from "../../release/test/make-package.ts";
import { type Finished, runKgraft, scratch } from "./kgraft.ts";

const user = "Example live patches <patches@example.org>";
const passphrase = "correct horse battery staple";
const fingerprint = /^[0-9A-F]{40}/m;

let place: Awaited<ReturnType<typeof scratch>>;
/** A GnuPG home of the tests' own, for keys that an agent holds. */
let gnupg: string;
let passphraseFile: string;
let wrongFile: string;
let deb: string;

beforeAll(async () => {
  place = await scratch();
  gnupg = at("gnupg");
  await mkdir(gnupg, { mode: 0o700 });
  passphraseFile = at("passphrase");
  // Only the first line counts, as an editor leaves it.
  await writeFile(passphraseFile, `${passphrase}\nsecond line\n`, { mode: 0o600 });
  wrongFile = at("wrong");
  await writeFile(wrongFile, "wrong\n");
  deb = await makeDeb(place.path, { counter: 1 });
});
afterAll(async () => {
  await promisify(execFile)("gpgconf", ["--homedir", gnupg, "--kill", "all"]);
  await place?.[Symbol.asyncDispose]();
});

function at(name: string): string {
  return join(place.path, name);
}

async function kgraft(...words: readonly string[]): Promise<Finished> {
  return runKgraft(words, { GNUPGHOME: gnupg, KGRAFT_KEY_PASSPHRASE: undefined });
}

async function ok(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await kgraft(...words);
  expect({ words, code, stderr: code === 0 ? "" : stderr }).toEqual({ words, code: 0, stderr: "" });
  return stdout;
}

/** Fingerprints of the keys whose signatures on a channel's InRelease are good, by gpg itself and no other keys. */
async function signersOf(repository: string): Promise<readonly string[]> {
  const home = at(`verify-${Math.random().toString(36).slice(2)}`);
  await mkdir(home, { mode: 0o700 });
  const gpg = async (...words: string[]): Promise<string> =>
    (await promisify(execFile)("gpg", ["--homedir", home, "--batch", ...words])).stdout;
  await gpg("--import", join(repository, "dists/stable/kgraft.asc"));
  const said = await gpg("--status-fd", "1", "--verify", join(repository, "dists/stable/InRelease"));
  await promisify(execFile)("gpgconf", ["--homedir", home, "--kill", "all"]);
  return [...said.matchAll(/VALIDSIG .* ([0-9A-F]{40})$/gm)].map(([, found = ""]) => found).toSorted();
}

describe("a key in a file", () => {
  let key: string;
  let print: string;

  beforeAll(async () => {
    key = at("key.asc");
    const words = ["key", "new", "--name", user, "--passphrase-file", passphraseFile, "-o", key];
    print = fingerprint.exec(await ok(...words))?.[0] ?? "";
  });

  test("kgraft key new writes it for its owner alone, shut with the passphrase", async () => {
    expect(print).not.toBe("");
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    expect(await readFile(key, "utf8")).toContain("BEGIN PGP PRIVATE KEY BLOCK");
    const shut = await kgraft("publish", deb, "--repository", at("shut"), "--key", key);
    expect(shut.code).not.toBe(0);
    const wrong = ["publish", deb, "--repository", at("shut"), "--key", key, "--passphrase-file", wrongFile];
    expect((await kgraft(...wrong)).stderr).toMatch(/passphrase/i);
  });

  test("kgraft key new writes over nothing", async () => {
    const before = await readFile(key);
    const again = await kgraft("key", "new", "--name", user, "--no-passphrase", "-o", key);
    expect(again).toMatchObject({
      code: 65,
      stderr: expect.stringContaining("the file is there already") as string,
    });
    expect(await readFile(key)).toEqual(before);
  });

  test.each([
    ["without a passphrase", ["-o", "other.asc"], 64, /a key in a file wants a passphrase/],
    ["without a place", ["--no-passphrase"], 64, /into a file or into an agent/],
    ["in two places", ["--no-passphrase", "--agent", "-o", "other.asc"], 64, /into a file or into an agent/],
    [
      "with a passphrase that is not there",
      ["--passphrase-file", "/nowhere", "-o", "x.asc"],
      65,
      /\/nowhere/,
    ],
  ])("kgraft key new refuses one %s", async (_, words, code, message) => {
    const refused = await kgraft("key", "new", "--name", user, ...words);
    expect(refused).toMatchObject({ code, stderr: expect.stringMatching(message) as string });
  });

  test("kgraft key new refuses a name without an address", async () => {
    const refused = await kgraft("key", "new", "--name", "Example", "--no-passphrase", "-o", at("x.asc"));
    expect(refused).toMatchObject({
      code: 65,
      stderr: expect.stringContaining("wanted a name and an address") as string,
    });
  });

  test("kgraft key show prints it, its public part and no more, and how a machine is set up", async () => {
    const named = ["--key", key, "--passphrase-file", passphraseFile];
    expect(await ok("key", "show", ...named)).toMatch(new RegExp(`^${print}  ${user}  made \\d{4}-`));
    const armored = await ok("key", "show", ...named, "--armor");
    expect(armored).toMatch(
      /^-----BEGIN PGP PUBLIC KEY BLOCK-----\n[^]*-----END PGP PUBLIC KEY BLOCK-----\n$/,
    );
    expect(armored).not.toContain("PRIVATE");
    const setup = await ok("key", "show", ...named, "--url", "http://patches.example.org/");
    expect(setup).toContain("URIs: http://patches.example.org\nSuites: stable\n");
    expect(setup).toContain("baseurl=http://patches.example.org/rpm/stable\n");
    const { keys } = JSON.parse(await ok("key", "show", ...named, "--json")) as {
      keys: readonly { fingerprint: string; userId: string }[];
    };
    expect(keys).toMatchObject([{ fingerprint: print, userId: user }]);
  });
});

async function gpgTool(program: string, ...words: readonly string[]): Promise<string> {
  const env = { ...process.env, GNUPGHOME: gnupg };
  return (await promisify(execFile)(program, words, { env })).stdout;
}

/** Signed by that key alone, which is the only one that machines know, down to the .rpm packages. */
async function checked(print: string, repository: string): Promise<void> {
  expect(await signersOf(repository)).toEqual([print]);
  const trust = at(`${print}.asc`);
  await writeFile(trust, await ok("key", "show", "--key", print, "--armor"));
  await ok("publish", "--repository", repository, "--check", "--trust", trust);
}

describe("a key in an agent", () => {
  test("kgraft key new --agent leaves it in the GnuPG home, and kgraft publish signs with it", async () => {
    const words = ["key", "new", "--name", user, "--agent", "--no-passphrase", "--json"];
    const { key, file } = JSON.parse(await ok(...words)) as {
      key: { fingerprint: string };
      file: string | null;
    };
    expect(file).toBeNull();
    const repository = at("by-agent");
    await ok("publish", deb, "--repository", repository, "--key", key.fingerprint);
    await checked(key.fingerprint, repository);
  });

  test("one with a passphrase: refused while the agent has it not, then signs, packages too", async () => {
    const words = ["key", "new", "--name", user, "--agent", "--passphrase-file", passphraseFile, "--json"];
    const { key } = JSON.parse(await ok(...words)) as { key: { fingerprint: string } };
    const packages = [deb, await makeRpm(place.path, { counter: 1 })];
    const publish = ["publish", ...packages, "--key", key.fingerprint, "--repository"];
    // The agent of a server: nobody is there to ask, and it is told the passphrase once.
    await writeFile(join(gnupg, "gpg-agent.conf"), "allow-preset-passphrase\npinentry-program /bin/false\n");
    await gpgTool("gpgconf", "--kill", "all");
    expect(await kgraft(...publish, at("shut-agent"))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /No pinentry\s+give the passphrase .* or let gpg-agent\s+have it/,
      ) as string,
    });
    const listing = await gpgTool(
      "gpg",
      "--with-colons",
      "--with-keygrip",
      "--list-secret-keys",
      key.fingerprint,
    );
    const grip = /^grp:+([0-9A-F]{40}):/m.exec(listing)?.[1] ?? "";
    const preset = promisify(execFile)("/usr/lib/gnupg/gpg-preset-passphrase", ["--preset", grip], {
      env: { ...process.env, GNUPGHOME: gnupg },
    });
    preset.child.stdin?.end(passphrase);
    await preset;
    await ok(...publish, at("open-agent"));
    await checked(key.fingerprint, at("open-agent"));

    // Or the command is told it.
    await gpgTool("gpgconf", "--kill", "all");
    await ok(...publish, at("told-agent"), "--passphrase-file", passphraseFile);
    await checked(key.fingerprint, at("told-agent"));
  });

  test("one that the agent has not is refused", async () => {
    const words = [
      "publish",
      deb,
      "--repository",
      at("nothing"),
      "--key",
      "0123456789ABCDEF0123456789ABCDEF01234567",
    ];
    expect(await kgraft(...words)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining("01234567") as string,
    });
  });
});

test("kgraft key new keeps a name as it is written", async () => {
  const name = "Jürgen 補丁 <patches@example.org>";
  const key = at("named.asc");
  expect(await ok("key", "new", "--name", name, "--no-passphrase", "-o", key)).toContain(name);
  const { keys } = JSON.parse(await ok("key", "show", "--key", key, "--json")) as {
    keys: readonly { userId: string }[];
  };
  expect(keys.map(({ userId }) => userId)).toEqual([name]);
});

test("kgraft key rotate: both keys sign, then the new one alone, and nothing goes on with the old one", async () => {
  const [old, fresh] = [at("old.asc"), at("new.asc")];
  const prints: string[] = [];
  for (const path of [old, fresh]) {
    const made = await ok("key", "new", "--name", user, "--passphrase-file", passphraseFile, "-o", path);
    prints.push(fingerprint.exec(made)?.[0] ?? "");
  }
  const repository = at("rotated");
  const where = ["--repository", repository, "--passphrase-file", passphraseFile];
  await ok("publish", deb, ...where, "--key", old);
  // The new key alone is not what machines know.
  const early = await kgraft("key", "rotate", ...where, "--key", fresh);
  expect({ code: early.code, signers: await signersOf(repository) }).toEqual({
    code: 65,
    signers: [prints[0]],
  });

  expect(await ok("key", "rotate", ...where, "--key", old, "--key", fresh)).toContain(
    "signed with all of them",
  );
  expect(await signersOf(repository)).toEqual(prints.toSorted());
  expect(await kgraft("publish", ...where, "--key", old)).toMatchObject({ code: 65 });

  expect(await ok("key", "rotate", ...where, "--key", fresh, "--finish")).toContain(
    "signed with this key alone",
  );
  expect(await signersOf(repository)).toEqual([prints[1]]);
  expect(await kgraft("publish", ...where, "--key", old)).toMatchObject({ code: 65 });
  await ok("publish", ...where, "--key", fresh);

  // Machines have both keys in one file, as apt's Signed-By takes them, whichever is first.
  const open = ["--passphrase-file", passphraseFile, "--armor"];
  const armored = await Promise.all([old, fresh].map((key) => ok("key", "show", "--key", key, ...open)));
  for (const text of [armored.join(""), armored.toReversed().join("")]) {
    await writeFile(at("both.asc"), text);
    await ok("publish", "--repository", repository, "--check", "--trust", at("both.asc"));
  }
  // What is no public key, is no key to trust.
  for (const [path, found] of [
    [fresh, "PGP PRIVATE KEY BLOCK"],
    [deb, "no BEGIN line"],
  ] as const) {
    expect(await kgraft("publish", "--repository", repository, "--check", "--trust", path)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining(`${path}: found ${found}, wanted PGP PUBLIC KEY BLOCK`) as string,
    });
  }
});

test.each(["s3:/patches", "https://patches.example.org"])(
  "kgraft publish makes no folder of the address %s",
  async (address) => {
    const words = ["publish", deb, "--repository", address, "--key", at("key.asc")];
    expect(await kgraft(...words, "--passphrase-file", passphraseFile)).toMatchObject({
      code: 64,
      stderr: expect.stringContaining(
        `kgraft: cannot write to ${address}: wanted a folder, or s3://BUCKET/FOLDER`,
      ) as string,
    });
  },
);

test("kgraft key rotate begins nothing where nothing was published", async () => {
  const key = at("nowhere.asc");
  await ok("key", "new", "--name", user, "--no-passphrase", "-o", key);
  expect(await kgraft("key", "rotate", "--repository", at("nowhere"), "--key", key)).toMatchObject({
    code: 65,
    stderr: expect.stringContaining("cannot rotate: nothing was published there yet") as string,
  });
});
