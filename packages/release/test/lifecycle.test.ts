import { createHash } from "node:crypto";
import { appendFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkRepository,
  defaultLifecyclePolicy,
  directoryStore,
  type Finding,
  makeLifecycleData,
  type PackageFile,
  packageFormats,
  parseLifecycleJson,
  parseLifecycleText,
} from "../src/mod.ts";
import { idleMachine, makeMachine } from "../../host/test/machine.ts";
import { lintianExceptions, rpmlintExceptions } from "./linters.ts";
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

/** What a checker complains of, without what it is not asked about. */
function tags(
  said: string,
  complaint: RegExp,
  exceptions: Readonly<Record<string, string>>,
): readonly string[] {
  const all = [...said.matchAll(complaint)].map(([, tag = ""]) => tag);
  return all.filter((tag) => !Object.hasOwn(exceptions, tag));
}

describe("makeLifecycleData()", () => {
  const dateSeconds = start;
  const request = {
    formats: packageFormats,
    maintainer: "Live patches <live-patches@kgraft.example>",
    dateSeconds,
  };
  const made = async (): Promise<readonly PackageFile[]> => {
    const lifecycle = parseLifecycleJson(await told("lifecycle.json"), "lifecycle.json");
    return makeLifecycleData({ ...request, directory: join(place.path, "data"), lifecycle }, { signal });
  };

  test("packages the file where kgr and zypper look, for dpkg and rpm", async () => {
    const [deb, rpm] = await made();
    expect([deb, rpm].map((one) => `${one?.name} ${one?.version}`)).toEqual(
      Array(2).fill("lifecycle-data-kgraft 20261125-120000"),
    );
    const path = "usr/share/lifecycle/data/kgraft.lifecycle";
    const ofDeb = join(place.path, "of-deb");
    await execa("dpkg-deb", ["--extract", deb!.path, ofDeb]); // both formats were asked for
    expect(await readFile(join(ofDeb, path), "utf8")).toBe(await told("kgraft.lifecycle"));
    const { stdout } = await execa("rpm", [
      "-qp",
      "--queryformat",
      "[%{FILENAMES} %{FILEDIGESTS}\\n]",
      rpm!.path,
    ]);
    const digest = createHash("sha256")
      .update(await told("kgraft.lifecycle"))
      .digest("hex");
    expect(stdout).toContain(`/${path} ${digest}`);
  });

  test("tells a machine that has the package of an end that is near", async () => {
    const [deb] = await made();
    const folder = join(place.path, "on-a-machine");
    await execa("dpkg-deb", ["--extract", deb!.path, folder]); // both formats were asked for
    const path = "/usr/share/lifecycle/data/kgraft.lifecycle";
    const machine = makeMachine({ ...idleMachine, [path]: await readFile(join(folder, path)) });
    expect(await ends()).toMatchObject({ [release]: "2027-01-01" });
    const near = "live patches until: 2027-01-01 (30 days left: install a newer kernel)";
    machine.epochMs = Date.UTC(2026, 11, 1, 12);
    expect((await machine.kgr("status", "-v")).out).not.toContain("live patches until");
    machine.epochMs = Date.UTC(2026, 11, 2, 12);
    expect((await machine.kgr("status", "-v")).out).toContain(near);
  });

  test("is taken into the repository", async () => {
    const { added } = await publishWith(
      [key],
      place.repository,
      (await made()).map(({ path }) => path),
      { time: start + 6 * monthSeconds },
    );
    expect(added.map(({ name }) => name)).toEqual(["lifecycle-data-kgraft", "lifecycle-data-kgraft"]);
  });

  test("lintian and rpmlint have nothing to say beside the known exceptions", async () => {
    const [deb, rpm] = await made();
    const lintian = await execa("lintian", ["--allow-root", "--tag-display-limit=0", deb!.path], {
      reject: false,
    });
    const rpmlint = await execa("rpmlint", [rpm!.path], { reject: false });
    expect(rpmlint.stdout).toContain("1 packages");
    expect({
      lintian: lintian.exitCode,
      said: tags(lintian.stdout, /^[EW]: \S+ (\S+)/gm, lintianExceptions),
    }).toEqual({
      lintian: 0,
      said: [],
    });
    expect(tags(rpmlint.stdout, / [EW]: (\S+)/g, rpmlintExceptions)).toEqual([]);
  });
});

test("publish --check finds files that say something else", async () => {
  const check = async (): Promise<readonly Finding[]> => {
    const trusted = [await publicKey(key)];
    const store = directoryStore(place.repository);
    const time = start + 6 * monthSeconds;
    return (await checkRepository({ store, channel: "stable", trusted, time, signal })).findings;
  };
  expect(await check()).toEqual([]);
  const path = "lifecycle/stable/kgraft.lifecycle";
  await appendFile(join(place.repository, path), "kgraft-patch-*, *, 2099-01-01\n");
  expect(await check()).toEqual([
    { file: path, message: expect.stringMatching(/^it says something else than the ledger/) },
  ]);
});
