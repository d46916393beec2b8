/**
 * How long a machine takes from `apt upgrade` to `ready`: a guest with a real Debian and a signed repository on its own
 * loopback, which it has asked what is new before. Beside it dpkg with the very package, and insmod with the module
 * alone, each with the wait for the transition's end. The ways take turns, and before each the version before is put
 * back.
 */
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makePackage, type PackageFile } from "@kgraft/release";
import {
  type DebianMachine,
  served,
  startDebianMachine,
} from "../../packages/release/test/debian-machine.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  maintainer,
  signal,
  testKernel,
} from "../../packages/release/test/built.ts";
import { newKey, publishWith } from "../../packages/release/test/scratch.ts";
import { median } from "../median.ts";

export interface ApplyTime {
  readonly way: string;
  /** Median of the rounds. */
  readonly ms: number;
}

const rounds = 3;
const settled = 'until kgr wait >/dev/null 2>&1 && [ "$(kgr status 2>/dev/null)" = ready ]; do :; done';

export async function applyTimes(): Promise<readonly ApplyTime[]> {
  const home = await mkdtemp(join(tmpdir(), "kgraft-apply-bench-"));
  try {
    const kernel = await testKernel("6.1.0-54-cloud-amd64");
    const folder = join(home, "served");
    await mkdir(join(folder, "patches"), { recursive: true });
    const request = { directory: join(home, "packages"), formats: ["deb"], maintainer, dateSeconds } as const;
    const files: PackageFile[] = [...(await hostToolPackages(request.directory, { formats: ["deb"] }))];
    for (const [name, text] of [
      ["kgraft_patch_2_1", "second"],
      ["kgraft_patch_3_1", "third"],
    ] as const) {
      const { modulePath: module } = await cmdlinePatch(join(home, "built"), name, text, undefined, kernel);
      files.push(...(await makePackage({ ...request, module }, { signal })).files);
    }
    await publishWith(
      [await newKey(join(home, "key.asc"))],
      join(folder, "patches"),
      files.map(({ path }) => path),
      { settings: { url: `${served}/patches` } },
    );
    const last = files.at(-1)!.path; // three were made
    await copyFile(last, join(folder, "third.deb"));
    await copyFile(join(home, "built/kgraft_patch_3_1.ko"), join(folder, "third.ko"));
    await using machine = await startDebianMachine(kernel, folder);
    return await timesOn(machine, `kgraft-patch-${kernel.release}`);
  } finally {
    await rm(home, { recursive: true });
  }
}

async function timesOn(machine: DebianMachine, patch: string): Promise<readonly ApplyTime[]> {
  await machine.ok(
    "cp /share/patches/dists/stable/kgraft.sources /etc/apt/sources.list.d/ && apt-get update",
  );
  const before = `apt-get install --yes --allow-downgrades --reinstall ${patch}=2-1 && ${settled}`;
  const ways = [
    { way: "apt upgrade, to ready", command: "apt upgrade --yes", timesMs: [] as number[] },
    { way: "dpkg -i, to ready", command: "dpkg -i /share/third.deb", timesMs: [] as number[] },
    { way: "insmod, to ready", command: "insmod /share/third.ko", timesMs: [] as number[] },
  ];
  for (let round = 0; round < rounds; round++) {
    for (const { command, timesMs } of ways) {
      await machine.ok(before);
      const said = await machine.ok(
        `start=$(date +%s%N); { ${command}; } >/dev/null 2>&1 && ${settled} && echo $(( ($(date +%s%N) - start) / 1000000 ))`,
      );
      if ((await machine.ok("cat /proc/cmdline")) !== "third\n")
        throw new Error(`${command} put nothing into force`);
      if (!/^\d+\n$/.test(said)) throw new Error(`${command}: found ${said}, wanted its time`);
      timesMs.push(Number(said));
    }
  }
  return ways.map(({ way, timesMs }) => ({ way, ms: median(timesMs) }));
}

export function applyTable(times: readonly ApplyTime[]): string {
  const plain = times.find(({ way }) => way.startsWith("dpkg"))?.ms ?? Number.NaN;
  return [
    ["".padEnd(26), "ms".padStart(8), "of dpkg -i".padStart(12)].join(""),
    ...times.map(({ way, ms }) =>
      [way.padEnd(26), ms.toFixed(0).padStart(8), `${(ms / plain).toFixed(2)} x`.padStart(12)].join(""),
    ),
  ].join("\n");
}
