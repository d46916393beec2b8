/**
 * The power goes while apt and zypper install, update and remove a live patch. The machine starts again each time, runs
 * one live patch whole or none, `kgr` says which and why, and what one types next brings the client's work to its end.
 *
 * The moment is hit and not guessed: strace holds one process of the client in one call of the kernel, and what is seen
 * in the files and in sysfs is part of the test. Three rounds, each of which begins where the one before ended: the
 * files half there or half gone; in the scriptlet; behind it, before the client ends. In these all that was done has
 * reached the disk; in a fourth nothing has but what somebody waited for.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePackage, type PackageFile } from "../src/mod.ts";
import { cmdlinePatch, dateSeconds, hostToolPackages, maintainer, signal, testKernel } from "./built.ts";
import { type DebianMachine, type HeldCall, served, startDebianMachine } from "./debian-machine.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { makeStandIns, standInsSetup } from "./stand-ins.ts";

const release = "6.1.0-55-cloud-amd64";
const store = `/usr/lib/modules/${release}/updates/kgraft`;
const script = "/usr/lib/kgr/live-patch-package";
const names = { original: null, second: "kgraft_patch_2_1", third: "kgraft_patch_3_1" } as const;
type Version = keyof typeof names;

interface Cut {
  readonly when: string;
  readonly held: HeldCall;
  /** The live patch's files as they are then, and what the kernel has of it. */
  readonly files: readonly string[];
  readonly inForce: Version;
  /** Whether the machine has stayed up long enough by then. */
  readonly confirmed?: true;
  /** What it boots into, and which live patch the crash guard keeps out of it. */
  readonly boots: Version;
  readonly keptOut?: Version;
  /** What is typed afterwards, where not what is typed after each cut of the step. */
  readonly again?: string;
  /** The files with contents after the cut, where the kernel has written nothing by itself. */
  readonly onDisk?: readonly string[];
  /** Whose files are there without what was in them. */
  readonly damaged?: Version;
}

interface Step {
  /** `install`, `update` or what else the client calls it. */
  readonly work: string;
  readonly command: string;
  /** What is typed after the cut. */
  readonly again: string;
  readonly wanted: Version;
  readonly cuts: readonly Cut[];
}

interface Client {
  readonly name: string;
  readonly setup: string;
  /** Prints the version of each live patch's package that is installed whole. */
  readonly installed: string;
  readonly steps: readonly Step[];
}

const packageOf = { original: "", second: "installed 2-1\n", third: "installed 3-1\n" } as const;

const both = (name: string | null): readonly string[] =>
  name === null ? [] : [`${name}.json`, `${name}.ko`];
const loaded: HeldCall = { name: "finit_module", side: "exit" };
const removedScriptlet: HeldCall = { name: "execve", path: script, side: "enter" };

/** What a client is told, once to be cut off and once more; `mend` is what it wants before that. */
function stepsOf(
  client: string,
  mend = ":",
): (command: string, wanted: Version, cuts: readonly Cut[]) => Step {
  return (command, wanted, cuts) => ({
    work: command.split(" ")[0]!,
    command: `${client} ${command}`,
    again: `${mend}; ${client} ${command}`,
    wanted,
    cuts,
  });
}

/** apt, with a hook of its own that gives it something to do behind dpkg. */
function apt(): Client {
  const name = `kgraft-patch-${release}`;
  const get = "apt-get --yes -o DPkg::Post-Invoke::=/usr/bin/true";
  const mend = "dpkg --configure -a"; // apt itself asks for it
  const behind: HeldCall = { name: "execve", path: "/usr/bin/true", side: "enter" };
  const unpacking = (patch: string): HeldCall => ({
    name: "rename",
    path: `${store}/${patch}.ko.dpkg-new`,
    side: "enter",
  });
  const step = stepsOf(get, mend);
  return {
    name: "apt",
    setup: `cp /share/patches/dists/stable/kgraft.sources /etc/apt/sources.list.d/ && apt-get update && ${get} install kgr`,
    installed: `dpkg-query -W -f '\${db:Status-Status} \${Version}\\n' ${name} 2>/dev/null | grep ^installed || :`,
    steps: [
      step(`install ${name}=2-1`, "second", [
        {
          when: "its files half there",
          held: unpacking(names.second),
          files: ["kgraft_patch_2_1.json", "kgraft_patch_2_1.ko.dpkg-new"],
          inForce: "original",
          boots: "original",
        },
        {
          when: "loaded, in the scriptlet",
          held: loaded,
          files: both(names.second),
          inForce: "second",
          boots: "original",
          keptOut: "second",
        },
        {
          when: "behind dpkg",
          held: behind,
          files: both(names.second),
          inForce: "second",
          confirmed: true,
          boots: "second",
        },
        {
          when: "loaded, in the scriptlet, nothing written by itself",
          held: loaded,
          files: both(names.second),
          inForce: "second",
          boots: "original",
          keptOut: "second",
          onDisk: both(names.second),
        },
      ]),
      step("upgrade", "third", [
        {
          when: "its files half there",
          held: unpacking(names.third),
          files: [...both(names.second), "kgraft_patch_3_1.json", "kgraft_patch_3_1.ko.dpkg-new"],
          inForce: "second",
          boots: "second",
        },
        {
          when: "loaded, in the scriptlet",
          held: loaded,
          files: both(names.third),
          inForce: "third",
          boots: "original",
          keptOut: "third",
        },
        {
          when: "behind dpkg",
          held: behind,
          files: both(names.third),
          inForce: "third",
          confirmed: true,
          boots: "third",
        },
        {
          when: "loaded, in the scriptlet, nothing written by itself",
          held: loaded,
          files: both(names.third),
          inForce: "third",
          boots: "original",
          keptOut: "third",
          onDisk: both(names.third),
        },
      ]),
      step(`remove ${name}`, "original", [
        {
          when: "its files half gone",
          held: { name: "unlink", path: `${store}/${names.third}.json`, side: "enter" },
          files: ["kgraft_patch_3_1.json"],
          inForce: "third",
          boots: "original",
        },
        {
          when: "in the scriptlet",
          held: removedScriptlet,
          files: [],
          inForce: "third",
          boots: "original",
        },
        { when: "behind dpkg", held: behind, files: [], inForce: "third", boots: "original" },
      ]),
    ],
  };
}

/**
 * zypper, which has rpm do it. To rpm a package is installed before its scriptlet has run, and the one before is there
 * until its files are gone: what was cut off behind that is finished by having it installed once more.
 */
function zypper(): Client {
  const name = "kgraft-patch-6_1_0-55-cloud-amd64";
  const run = "zypper --non-interactive";
  const once = (version: string): string => `${run} install --oldpackage --force ${name}=${version}`;
  const cached = "/var/cache/zypp/packages/kgraft-stable/Packages";
  const unpacking = (patch: string): HeldCall => ({ name: "renameat", path: `${patch}.ko`, side: "enter" });
  const erasing = (file: string): HeldCall => ({ name: "unlinkat", path: file, side: "enter" });
  const step = stepsOf(run);
  return {
    name: "zypper",
    setup: `mkdir -p /etc/zypp/repos.d && cp /share/standins.repo /share/patches/rpm/stable/kgraft.repo /etc/zypp/repos.d/ &&
      ${run} --gpg-auto-import-keys refresh && ${run} install standin-system kernel-cloud-amd64 kgr`,
    installed: `rpm --dbpath /var/lib/rpm -qa --qf 'installed %{VERSION}-%{RELEASE}\n' ${name}`,
    steps: [
      step(`install --oldpackage ${name}=2-1`, "second", [
        {
          when: "its files half there",
          held: unpacking(names.second),
          files: ["kgraft_patch_2_1.json", "kgraft_patch_2_1.ko;"],
          inForce: "original",
          boots: "original",
        },
        {
          when: "loaded, in the scriptlet",
          held: loaded,
          files: both(names.second),
          inForce: "second",
          boots: "original",
          keptOut: "second",
          again: once("2-1"),
        },
        {
          when: "behind rpm",
          held: { name: "unlink", path: `${cached}/${name}-2-1.x86_64.rpm`, side: "enter" },
          files: both(names.second),
          inForce: "second",
          confirmed: true,
          boots: "second",
        },
        {
          when: "loaded, in the scriptlet, nothing written by itself",
          held: loaded,
          files: both(names.second),
          inForce: "second",
          boots: "original",
          keptOut: "second",
          again: once("2-1"),
          onDisk: both(names.second),
        },
      ]),
      step("update", "third", [
        {
          when: "its files half there",
          held: unpacking(names.third),
          files: [...both(names.second), "kgraft_patch_3_1.json", "kgraft_patch_3_1.ko;"],
          inForce: "second",
          boots: "second",
        },
        {
          when: "loaded, in the scriptlet",
          held: loaded,
          files: [...both(names.second), ...both(names.third)],
          inForce: "third",
          boots: "second",
          keptOut: "third",
          again: once("3-1"),
        },
        {
          when: "behind the scriptlet, the one before half gone",
          held: erasing(`${names.second}.json`),
          files: ["kgraft_patch_2_1.json", ...both(names.third)],
          inForce: "third",
          confirmed: true,
          boots: "third",
          again: once("3-1"),
        },
        {
          when: "before the scriptlet, nothing written by itself",
          held: { name: "execve", path: script, side: "enter" },
          files: [...both(names.second), ...both(names.third)],
          inForce: "second",
          boots: "second",
          again: once("3-1"),
          onDisk: both(names.second),
          damaged: "third",
        },
      ]),
      {
        ...step(`remove ${name}`, "original", [
          {
            when: "its files half gone",
            held: erasing(`${names.third}.json`),
            files: ["kgraft_patch_3_1.json"],
            inForce: "third",
            boots: "original",
          },
          {
            when: "in the scriptlet",
            held: removedScriptlet,
            files: [],
            inForce: "third",
            boots: "original",
          },
          {
            when: "behind rpm",
            held: { name: "execve", path: "/usr/bin/rpmdb2solv", side: "enter" },
            files: [],
            inForce: "third",
            boots: "original",
          },
        ]),
        again: `${run} remove ${name} || [ $? = 104 ]`, // it is gone already
      },
    ],
  };
}

describe.each([apt(), zypper()])("$name", ({ setup, installed, steps }) => {
  let place: Scratch;
  let machine: DebianMachine;

  beforeAll(async () => {
    place = await scratch();
    await publishPatches(place);
    await makeStandIns(join(place.path, "served/standins"), { kernels: ["55"], shell: false });
    await writeFile(join(place.path, "served/standins.repo"), standInsSetup("/share/standins"));
    const programs = ["zypper", "rpm", "strace"];
    machine = await startDebianMachine(await testKernel(), join(place.path, "served"), programs);
    await machine.ok(`${setup} && echo CRASH_GUARD=1 >>/etc/kgr/kgr.conf && sync`);
  });
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  const rounds = [0, 1, 2, 3].flatMap((round) =>
    steps.flatMap(({ cuts, ...step }) => cuts.slice(round, round + 1).map((cut) => ({ ...step, cut }))),
  );

  test.each(rounds)(
    "$work: the power goes, $cut.when",
    async ({ command, again, wanted, cut }) => {
      // 1. The cut, where it was to be.
      const { held, files, inForce, confirmed, boots, keptOut, onDisk, damaged } = cut;
      const stayedUp = confirmed === true ? "kgr boot --confirm >/dev/null; " : "";
      if (onDisk !== undefined) await machine.ok("echo 0 >/proc/sys/vm/dirty_writeback_centisecs");
      const written = onDisk === undefined ? "sync; " : "";
      const look = `${stayedUp}${written}ls ${store} 2>/dev/null; ${spoken}`;
      const seen = await machine.cutAt(command, held, look);
      expect(seen.trim().split("\n").map(nameless)).toEqual([...files, inForce]);
      const withContents = (await machine.ok(`find ${store} -type f -size +0 -printf '%f\\n' | sort || :`))
        .trim()
        .split("\n");
      expect(withContents).toEqual(onDisk ?? withContents);
      // 2. As kgr-boot.service does.
      const booted = await machine.run("kgr boot >/dev/null");
      expect(booted).toMatchObject({ status: keptOut === undefined || boots !== "original" ? 0 : 6 });
      expect(await said(machine)).toEqual(statusWith(boots, keptOut, damaged));
      // 3. The end of what was begun.
      const end = await machine.run(
        `${cut.again ?? again}; status=$?; kgr boot --confirm >/dev/null; sync; exit $status`,
      );
      expect(end).toMatchObject({ status: 0 });
      if (wanted === "original") await machine.restart(await testKernel());
      expect(await machine.ok(spoken)).toBe(`${wanted}\n`);
      expect(await machine.ok(`kgr check && dpkg --audit && ${installed}`)).toBe(packageOf[wanted]);
      // What rpm has not renamed any more, it leaves behind: kgr takes no notice.
      const left = (await machine.ok(`ls -A ${store} 2>/dev/null || :`))
        .split("\n")
        .filter((file) => file !== "");
      expect(left.filter((file) => !file.includes(";"))).toEqual(both(names[wanted]));
      await machine.ok(`rm -f ${store}/*\\;*`);
    },
    900_000,
  );
});

/** What /proc/cmdline reads as. */
const spoken = "sed 's/.*console=.*/original/' /proc/cmdline";

/** rpm writes a file under a name with a number of the transaction. */
function nameless(file: string): string {
  return file.replace(/;[0-9a-f]+$/, ";");
}

async function said(machine: DebianMachine): Promise<readonly string[]> {
  const lines = (await machine.ok(`${spoken}; kgr -v status`)).trimEnd().split("\n");
  return lines.map((line) => line.replace(/\d{4}-\d\d-\d\dT[\d:]+Z/, "then"));
}

/** What the machine says of itself that has booted into the one and keeps out the other. */
function statusWith(
  boots: Version,
  keptOut: Version | undefined,
  damaged: Version | undefined,
): readonly string[] {
  const [running, out] = [names[boots], names[keptOut ?? "original"]];
  const nothing = out === null ? [] : ["    at boot: (nothing: see below)"];
  return [
    boots,
    "ready",
    ...(running === null ? nothing : [`    at boot: ${running}`]),
    ...(out === null
      ? []
      : [
          `    not at boot: ${out}, the machine went down during or soon after its insertion of then; lift that with: kgr load ${store}/${out}.ko`,
        ]),
    ...(damaged === undefined
      ? []
      : [`    not at boot: ${names[damaged]}, its files are damaged; install its package again`]),
    ...(running === null ? [] : [`    crash guard: armed for ${running} since then`]),
  ];
}

/** The host tool and two live patches, for apt and for zypper. */
async function publishPatches(place: Scratch): Promise<void> {
  const directory = join(place.path, "packages");
  const key = await newKey(join(place.path, "key.asc"));
  const files: PackageFile[] = [...(await hostToolPackages(directory))];
  for (const text of ["second", "third"] as const) {
    const { modulePath: module } = await cmdlinePatch(join(place.path, "built"), names[text], text);
    const request = { directory, formats: ["deb", "rpm"], maintainer, dateSeconds, module } as const;
    files.push(...(await makePackage(request, { signal })).files);
  }
  const repository = join(place.path, "served/patches");
  await mkdir(repository, { recursive: true });
  const paths = files.map(({ path }) => path);
  await publishWith([key], repository, paths, { settings: { url: `${served}/patches` } });
}
