import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkRepository, directoryStore } from "../src/mod.ts";
import { aptClient, dnfClient } from "./clients.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { copyRepository, newKey, publicKey, publishWith, scratch, type Scratch, signal } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";

// A publisher is killed at each of its steps. Clients see the old or the new; the next publication makes it whole.

const deb = `kgraft-patch-${release}`;
const rpm = `kgraft-patch-${release.replaceAll(".", "_")}`;

let place: Scratch;
let key: string;
let served: Served;
let trusted: string;
let packages: readonly string[];

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  trusted = await publicKey(key);
  const first = [await makeDeb(place.path, { counter: 1 }), await makeRpm(place.path, { counter: 1 })];
  packages = [await makeDeb(place.path, { counter: 2 }), await makeRpm(place.path, { counter: 2 })];
  served = await serve(place.repository);
  await publishWith([key], place.repository, first, { settings: { url: served.url } });
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

async function publishUntil(
  step: number,
  repository: string,
): Promise<{ readonly killed: boolean; readonly steps: number }> {
  const program = fileURLToPath(import.meta.resolve("./killed-publisher.ts"));
  const words = [program, String(step), repository, key, ...packages];
  // What it leaves behind, its keys and their agent, goes with the folder.
  const result = await execa(process.execPath, words, { reject: false, env: { TMPDIR: place.path } });
  if (result.signal === "SIGKILL") return { killed: true, steps: step };
  expect(result).toMatchObject({ exitCode: 0 });
  return { killed: false, steps: Number(result.stdout) };
}

async function findings(repository: string): Promise<readonly string[]> {
  const store = directoryStore(repository);
  const report = await checkRepository({ store, channel: "stable", trusted: [trusted], signal });
  return report.findings.map(({ file, message }) => `${file}: ${message}`);
}

/** Which versions the clients find, each with an empty cache. */
async function seen(repository: string, folder: string): Promise<readonly [apt: string, dnf: string]> {
  await mkdir(folder);
  served.show(repository);
  const apt = await aptClient(join(folder, "apt"), served.url, trusted);
  expect(await apt("apt-get", "update")).toMatchObject({ code: 0 });
  const policy = (await apt("apt-cache", "policy", deb)).text;
  const dnf = await dnfClient(join(folder, "dnf"), served.url);
  const listed = await dnf(
    "--refresh",
    "repoquery",
    "--latest-limit=1",
    "--qf",
    "is %{version}-%{release}",
    rpm,
  );
  return [
    /Candidate: (\S+)/.exec(policy)?.[1] ?? policy,
    /^is (\S+)$/m.exec(listed.text)?.[1] ?? listed.text,
  ];
}

test("publish() killed at any step leaves old or new, and the next one finishes it", async () => {
  const whole = await publishUntil(Number.POSITIVE_INFINITY, await copy("whole"));
  expect(whole.killed).toBe(false);
  expect(whole.steps).toBeGreaterThan(20);
  const states: string[] = [];
  for (let step = 0; step < whole.steps; step++) {
    const repository = await copy(`step-${step}`);
    expect(await publishUntil(step, repository)).toMatchObject({ killed: true });
    const [apt, dnf] = await seen(repository, join(place.path, `clients-${step}`));
    expect(["1-1", "2-1"]).toContain(apt);
    expect(["1-1", "2-1"]).toContain(dnf);
    states.push(`${apt} ${dnf}`);
    await publishWith([key], repository, []);
    const after = (await findings(repository)).join("\n");
    expect({ step, after }).toEqual({ step, after: "" });
  }
  // In this order, and nothing else in between.
  expect(states.filter((state, at) => state !== states[at - 1])).toEqual(["1-1 1-1", "2-1 1-1", "2-1 2-1"]);
});

async function copy(name: string): Promise<string> {
  const repository = join(place.path, name);
  await copyRepository(place.repository, repository);
  return repository;
}
