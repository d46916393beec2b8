/**
 * Machines with zypper and with dnf that know a channel by one package, through a change of the key. zypper has a whole
 * Debian with systemd, in which rpm is handed the keys; dnf reads them from the package's file.
 */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bootGuest, makeDebianRoot, openRootDisk } from "@kgraft/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signal, testKernel } from "./built.ts";
import { inside, keyring, makeRoot, paths } from "./keyring-machine.ts";
import { makeRpm, release } from "./make-package.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve } from "./serve.ts";
import { makeStandIns } from "./stand-ins.ts";

const patch = `kgraft-patch-${release.replaceAll(".", "_")}`;
/** Debian's rpm keeps a database for each user; zypper and dnf look for one of the machine. */
const oneDatabase = "%_dbpath /var/lib/rpm\n";
const installRpm = "rpm --force-debian --install";

interface Machine extends AsyncDisposable {
  /** Where it finds the repository. */
  readonly url: string;
  /** What the machine sees of the host. */
  readonly folder: string;
  /** Both outputs of a command. @throws where it fails */
  readonly run: (command: string) => Promise<string>;
}

let keys: { readonly old: string; readonly new: string };
let place: Scratch;

beforeAll(async () => {
  place = await scratch();
  keys = { old: await newKey(join(place.path, "old.asc")), new: await newKey(join(place.path, "new.asc")) };
});
afterAll(() => place?.[Symbol.asyncDispose]());

async function startGuest(own: Scratch): Promise<Machine> {
  const packages = [`linux-image-${release}`, "kmod", "systemd-sysv", "udev", "rpm", "zypper"];
  const disk = await openRootDisk(await makeDebianRoot({ packages, signal }));
  const kernel = await testKernel();
  const guest = await bootGuest({
    kernel,
    root: { disk, init: "system" },
    files: [{ path: "/etc/rpm/macros", source: Buffer.from(oneDatabase) }],
    share: own.path,
    memoryMib: 1024,
    timeoutMs: 1_200_000,
  });
  const run = async (command: string): Promise<string> => {
    const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 300_000 });
    if (status === 0) return stdout + stderr;
    throw new Error(`cannot run ${command} in the guest: status ${status}\n${stdout}${stderr}`);
  };
  await run("until [ -e /run/systemd/private ]; do sleep 0.2; done; systemctl is-system-running --wait");
  await run("/run/lab/bin/busybox ifconfig lo 127.0.0.1 up");
  await run("/run/lab/bin/busybox httpd -h /share/repository -p 127.0.0.1:80");
  return {
    url: "http://127.0.0.1",
    folder: "/share",
    run,
    async [Symbol.asyncDispose]() {
      await guest.kill();
      disk[Symbol.dispose]();
    },
  };
}

async function startChroot(own: Scratch): Promise<Machine> {
  const root = await makeRoot(own, "root", ["rpm", "dnf"]);
  await mkdir(join(root, "etc/rpm"), { recursive: true });
  await writeFile(join(root, "etc/rpm/macros"), oneDatabase);
  const served = await serve(own.repository);
  return {
    url: served.url,
    folder: "/root",
    run: (command) => inside(root, "sh", "-c", command),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

interface Case {
  readonly who: string;
  readonly start: (own: Scratch) => Promise<Machine>;
  readonly refresh: string;
  readonly list: string;
  /** What that says of the first patch. */
  readonly listed: RegExp;
  readonly install: string;
  readonly update: string;
  /** Until rpm has so many keys, where it gets them by itself. */
  readonly wait: (count: number) => string;
}

const cases: readonly Case[] = [
  {
    who: "zypper",
    start: startGuest,
    refresh: "zypper --non-interactive refresh",
    list: `zypper --non-interactive search --details ${patch}`,
    listed: /\| 1-1 .*\| kgraft$/m,
    install: `zypper --non-interactive install ${patch}`,
    update: "zypper --non-interactive refresh && zypper --non-interactive update",
    wait: (count) => `until [ "$(rpm -qa gpg-pubkey | wc -l)" = ${count} ]; do sleep 1; done`,
  },
  {
    who: "dnf",
    start: startChroot,
    refresh: "dnf --assumeyes --releasever=1 makecache",
    list: `dnf --releasever=1 list ${patch}`,
    listed: /\s1-1\s+kgraft-stable/,
    install: `dnf --assumeyes --releasever=1 install ${patch}`,
    update: "dnf --assumeyes --releasever=1 --refresh upgrade",
    wait: () => "true",
  },
];

test.each(cases)("$who needs nothing but the package, and a new key comes with its update", async (one) => {
  await using own = await scratch();
  await makeStandIns(join(own.path, "standins"), { kernels: [], shell: false });
  await mkdir(own.repository);
  await using machine = await one.start(own);
  const installed = async (): Promise<readonly string[]> => {
    const said = await machine.run('rpm -qa --qf "%{NAME} %{VERSION}-%{RELEASE}\\n"');
    return said
      .split("\n")
      .filter((line) => line.startsWith("kgraft-"))
      .toSorted();
  };

  // 1. The package alone.
  const settings = { url: machine.url };
  await publishWith([keys.old], own.repository, [await makeRpm(own.path, { counter: 1 })], { settings });
  const first = paths(await keyring(own, 0, keys.old), "rpm")[0]!; // it is made in both formats
  await publishWith([keys.old], own.repository, [first]);
  const folder = machine.folder === "/share" ? own.path : join(own.path, "root/root");
  await copyFile(join(own.path, "standins/standin-system-1-1.x86_64.rpm"), join(folder, "system.rpm"));
  await copyFile(first, join(folder, "keyring.rpm"));
  await machine.run(`${installRpm} ${machine.folder}/system.rpm`);
  const said = await machine.run(`${installRpm} ${machine.folder}/keyring.rpm`);
  expect(said.includes("rpm does not know its keys yet")).toBe(one.who === "dnf");
  await machine.run(one.wait(1));
  await machine.run(one.refresh);
  expect(await machine.run(one.list)).toMatch(one.listed);
  await machine.run(one.install);
  expect(await installed()).toEqual(["kgraft-archive-keyring 20250101-000000", `${patch} 1-1`]);

  // 2. Both keys sign, and the new one comes.
  const both = [keys.old, keys.new];
  await publishWith(both, own.repository, [], { rotation: "begin" });
  await publishWith(both, own.repository, paths(await keyring(own, 1, keys.old), "rpm"));
  await machine.run(one.update);
  await machine.run(one.wait(2));

  // 3. The new one alone.
  await publishWith([keys.new], own.repository, [], { rotation: "finish" });
  await publishWith([keys.new], own.repository, [await makeRpm(own.path, { counter: 2 })]);
  await machine.run(one.update);
  expect(await installed()).toEqual(["kgraft-archive-keyring 20250102-000000", `${patch} 2-1`]);
});
