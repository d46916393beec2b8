/**
 * Program temporary fixes with apt and dnf, which know no such thing: they come as an update to everyone, unless the
 * channel is one from which machines take only what they are told to. (zypper goes by `ptf()`: multiversion.test.ts.)
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePackage, makePtf, type PackageFile, type PublishRequest } from "../src/mod.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  initialPatch,
  maintainer,
  signal,
  testKernel,
} from "./built.ts";
import { aptClient, type Client, dnfClient } from "./clients.ts";
import { newKey, publicKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";
import { makeStandIns, standInsSetup } from "./stand-ins.ts";

const deb = "kgraft-patch-6.1.0-55-cloud-amd64";
const rpm = "kgraft-patch-6_1_0-55-cloud-amd64";
let place: Scratch;
let served: Served;
let key: string;
let modules: { readonly initial: string; readonly ptf: string; readonly next: string };
let ptf: readonly PackageFile[];

const at = (name: string): string => join(place.path, name);
const request = () =>
  ({ directory: at("packages"), formats: ["deb", "rpm"], maintainer, dateSeconds }) as const;

beforeAll(async () => {
  place = await scratch();
  key = await newKey(at("key.asc"));
  served = await serve(place.repository);
  modules = {
    initial: (await initialPatch(at("built"))).modulePath,
    ptf: (await cmdlinePatch(at("built"), "kgraft_patch_2_1_ptf1234", "ptf")).modulePath,
    next: (await cmdlinePatch(at("built"), "kgraft_patch_3_1", "third")).modulePath,
  };
  const { files } = await makePackage({ ...request(), module: modules.initial }, { signal });
  await publish([...files, ...(await hostToolPackages(at("packages")))]);
  const asked = { number: 1234, title: "cmdline: say ptf", livePatches: [modules.ptf], others: [] };
  ptf = (await makePtf({ ...request(), ...asked }, { signal })).files;
  await publish(ptf, { channel: "ptf" });
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

async function publish(
  files: readonly PackageFile[],
  { settings, ...more }: Partial<PublishRequest> = {},
): Promise<void> {
  const paths = files.map(({ path }) => path);
  await publishWith([key], place.repository, paths, { ...more, settings: { url: served.url, ...settings } });
}

async function ok(answer: ReturnType<Client>): Promise<string> {
  const { code, text } = await answer;
  expect({ code, text }).toEqual({ code: 0, text: expect.any(String) });
  return text;
}

/** The same for both: a channel of everybody's, then one of those who ask; then what is asked. */
interface Machine {
  readonly who: string;
  /** Makes one that knows both channels as they are published now, and has the initial live patch. */
  readonly start: (folder: string) => Promise<{
    /** What an update of everything leaves installed, of the live patch and the fix. */
    readonly update: () => Promise<readonly string[]>;
    readonly ask: () => Promise<readonly string[]>;
    readonly takeBack: () => Promise<readonly string[]>;
  }>;
}

/** A root of its own, in which it acts. */
const dnf: Machine = {
  who: "dnf",
  async start(folder) {
    const run = await dnfClient(folder, served.url);
    const repos = join(folder, "etc/yum.repos.d");
    const setup = await fetch(`${served.url}/rpm/ptf/kgraft.repo`);
    await writeFile(join(repos, "ptf.repo"), await setup.text());
    await makeStandIns(join(folder, "standins"), { kernels: ["55"], shell: true });
    await writeFile(join(repos, "standins.repo"), standInsSetup(join(folder, "standins")));
    await ok(run("install", "standin-system"));
    await ok(run("install", "kernel-cloud-amd64", `${rpm}-1-1`));
    const then = async (...words: readonly string[]): Promise<readonly string[]> => {
      await ok(run(...words));
      const { stdout } = await execa("rpm", [
        "--root",
        folder,
        "-qa",
        "--qf",
        "%{NAME} %{VERSION}-%{RELEASE}\n",
      ]);
      const lines = stdout.split("\n").filter((line) => /^(?:ptf|kgraft-patch)-/.test(line));
      return lines.map((line) => line.replace(rpm, "patch")).toSorted();
    };
    return {
      update: () => then("--refresh", "upgrade"),
      ask: () => then("--enablerepo=kgraft-ptf", "install", "ptf-1234"),
      takeBack: () => then("--allowerasing", "downgrade", `${rpm}-1-1`),
    };
  },
};

/** It says what it would do, and what is installed then is written down as dpkg has it. */
const apt: Machine = {
  who: "apt",
  async start(folder) {
    const trusted = await publicKey(key);
    const run = await aptClient(folder, served.url, trusted);
    const sources = await (await fetch(`${served.url}/dists/ptf/kgraft.sources`)).text();
    await writeFile(join(folder, "etc/apt/sources.list.d/ptf.sources"), sources);
    const { packageVersion, release } = await testKernel();
    const system = { [`linux-image-${release}`]: packageVersion, kgr: "0.1.0-1" };
    let has: ReadonlyMap<string, string> = new Map([[deb, "1-1"]]);
    const then = async (...words: readonly string[]): Promise<readonly string[]> => {
      const lines = [...Object.entries(system), ...has].map(
        ([name, version]) =>
          `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\nMaintainer: a <a@b>\nDescription: x\n`,
      );
      await writeFile(join(folder, "var/lib/dpkg/status"), lines.join("\n"));
      const said = await ok(run("apt-get", "--simulate", "--yes", ...words));
      const next = new Map(has);
      for (const [, name = ""] of said.matchAll(/^Remv (\S+)/gm)) next.delete(name);
      for (const [, name = "", version = ""] of said.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+)/gm))
        next.set(name, version);
      has = next;
      return [...has].map(([name, version]) => `${name.replace(deb, "patch")} ${version}`).toSorted();
    };
    return {
      async update() {
        await ok(run("apt-get", "update"));
        return then("--with-new-pkgs", "upgrade");
      },
      ask: () => then("--target-release", "ptf", "install", "ptf-1234"),
      takeBack: () => then("--allow-downgrades", "install", "ptf-1234-", `${deb}=1-1`),
    };
  },
};

const withPtf = ["patch 2-1.ptf1234", "ptf-1234 1-1"];

describe.each([apt, dnf])("$who", ({ who, start }) => {
  const started = async (name: string): ReturnType<Machine["start"]> => {
    const folder = at(`${who}-${name}`);
    await mkdir(folder);
    return start(folder);
  };

  test("takes one unasked from a channel that is like any other", async () => {
    await publish([], { channel: "ptf", settings: { onRequest: false } });
    const machine = await started("unasked");
    expect(await machine.update()).toEqual(withPtf);
  });

  test("takes one on request alone from a channel that is for that, and gives it back as a whole", async () => {
    await publish([], { channel: "ptf", settings: { onRequest: true } });
    const machine = await started("asked");
    expect(await machine.update()).toEqual(["patch 1-1"]);
    expect(await machine.ask()).toEqual(withPtf);
    expect(await machine.update()).toEqual(withPtf);
    expect(await machine.takeBack()).toEqual(["patch 1-1"]);
    expect(await machine.update()).toEqual(["patch 1-1"]);
  });
});

test("the next regular live patch applies over it, for those who have it and those who have not", async () => {
  await publish([], { channel: "ptf", settings: { onRequest: true } });
  const machines = await Promise.all(
    [apt, dnf].map(async ({ who, start }) => {
      const folders = [at(`${who}-with`), at(`${who}-without`)] as const;
      await Promise.all(folders.map((folder) => mkdir(folder)));
      const [asks, waits] = await Promise.all(folders.map(start));
      expect(await asks!.update()).toEqual(["patch 1-1"]); // there are two
      expect(await asks!.ask()).toEqual(withPtf);
      return [asks!, waits!] as const;
    }),
  );
  await publish((await makePackage({ ...request(), module: modules.next }, { signal })).files);
  for (const [asks, waits] of machines) {
    expect(await asks.update()).toEqual(["patch 3-1", "ptf-1234 1-1"]);
    expect(await waits.update()).toEqual(["patch 3-1"]);
  }
});
