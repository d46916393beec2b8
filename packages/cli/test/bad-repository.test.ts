/** Commands that read a repository, on one that was tampered with, cut off or signed by another: none goes on from it. */
import { cp, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeDeb } from "../../release/test/make-package.ts";
import { type Finished, runKgraft, scratch } from "./kgraft.ts";

const advisory = "KGRAFT-6.1.0-55-cloud-amd64-2";
let place: Awaited<ReturnType<typeof scratch>>;
let good: string;
let key: string;
let foreign: string;

beforeAll(async () => {
  place = await scratch();
  good = join(place.path, "good");
  key = await newKey("own");
  foreign = await newKey("foreign");
  const deb = await makeDeb(place.path, { counter: 2 });
  const url = ["--url", "http://patches.example.org"];
  await ok("publish", deb, "--repository", good, "--key", key, ...url);
});
afterAll(() => place?.[Symbol.asyncDispose]());

function kgraft(...words: readonly string[]): Promise<Finished> {
  return runKgraft(words, { KGRAFT_KEY_PASSPHRASE: "" });
}

async function ok(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await kgraft(...words);
  expect({ words, code, stderr: code === 0 ? "" : stderr }).toEqual({ words, code: 0, stderr: "" });
  return stdout;
}

async function newKey(name: string): Promise<string> {
  const path = join(place.path, `${name}.asc`);
  await ok("key", "new", "--name", `${name} <${name}@example.org>`, "--no-passphrase", "-o", path);
  return path;
}

async function onlyFile(folder: string): Promise<string> {
  const [name = ""] = await readdir(folder); // one was published
  return join(folder, name);
}

async function replaceIn(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

const by = (repository: string, signer: string): readonly string[] => [
  "--repository",
  repository,
  "--key",
  signer,
];
const commands: Readonly<Record<string, (where: readonly string[]) => readonly string[]>> = {
  publish: (where) => ["publish", ...where],
  retract: (where) => ["publish", ...where, "--retract", advisory, "--reason", "it deadlocks"],
  "advisory list": (where) => ["advisory", "list", ...where],
  "key rotate": (where) => ["key", "rotate", ...where],
  "package keyring": (where) => ["package", "keyring", ...where, "-o", join(place.path, "made")],
};

interface Case {
  readonly name: string;
  readonly harm: (repository: string) => Promise<void>;
  readonly signer: () => string;
  /** Those that read what was harmed. */
  readonly refusedBy: readonly string[];
  readonly words: RegExp;
}

const all = Object.keys(commands);
const cases: readonly Case[] = [
  {
    name: "the ledger's name was altered",
    harm: (repository) =>
      replaceIn(join(repository, "kgraft/stable/ledger.asc"), "Revision: 1", "Revision: 2"),
    signer: () => key,
    refusedBy: all,
    words: /ledger\.asc: its signature is not of these contents/,
  },
  {
    name: "the ledger's name is cut off",
    harm: (repository) => truncate(join(repository, "kgraft/stable/ledger.asc"), 60),
    signer: () => key,
    refusedBy: all,
    words: /ledger\.asc: it has no signature/,
  },
  {
    name: "another key signed it",
    harm: () => Promise.resolve(),
    signer: () => foreign,
    refusedBy: all,
    words: /ledger\.asc: it is signed by [0-9A-F]{16}, which is not trusted/,
  },
  {
    name: "the ledger was altered",
    harm: async (repository) =>
      replaceIn(await onlyFile(join(repository, "kgraft/stable/ledgers")), '"revision":1', '"revision":7'),
    signer: () => key,
    refusedBy: all,
    words: /its hash is [0-9a-f]{64}, wanted its name/,
  },
  {
    name: "an advisory was altered",
    harm: async (repository) =>
      replaceIn(await onlyFile(join(repository, "kgraft/stable/advisories")), "important", "low"),
    signer: () => key,
    refusedBy: ["retract", "advisory list"],
    words: /cannot read KGRAFT-\S+ from \S+: it is not what the ledger names/,
  },
];

describe.each(cases)("where $name", ({ name, harm, signer, refusedBy, words }) => {
  test.each(refusedBy)("kgraft %s refuses it, and changes nothing", async (which) => {
    const repository = join(place.path, `${name}-${which}`.replaceAll(/\W/g, "-"));
    await cp(good, repository, { recursive: true, verbatimSymlinks: true });
    await harm(repository);
    const before = await contents(repository);
    expect(await kgraft(...commands[which]!(by(repository, signer())))).toEqual({
      code: 65,
      stdout: "",
      stderr: expect.stringMatching(
        new RegExp(`^(?:.*\\.\\.\\.\n)*kgraft: .*${words.source}.*\n(?: +\\S.*\n)+$`),
      ) as string,
    });
    expect(await contents(repository)).toEqual(before);
  });
});

/** Each file's path and contents, and locks left out. */
async function contents(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && entry.name !== ".lock") found.set(path, await readFile(path, "base64"));
  }
  return found;
}
