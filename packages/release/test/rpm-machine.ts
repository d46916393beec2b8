/**
 * A machine whose live patches come from an rpm repository. The system is Debian's, as everywhere here, with the stock
 * kernel; stand-ins tell rpm of it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeMetapackage, makePackage, type PublishRequest } from "../src/mod.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  initialPatch,
  maintainer,
  signal,
  testKernel,
} from "./built.ts";
import { type DebianMachine, served, startDebianMachine } from "./debian-machine.ts";
import { newKey, publishWith, scratch } from "./scratch.ts";
import { makeStandIns, standInsSetup } from "./stand-ins.ts";

/** The package of its kernel's live patches. */
export const patch = "kgraft-patch-6_1_0-55-cloud-amd64";

/** What has to be there before the package manager is run, and where it looks for repositories. */
export interface RpmClient {
  readonly packages: readonly string[];
  readonly setups: string;
}

export interface RpmMachine extends AsyncDisposable {
  readonly machine: DebianMachine;
  /** Publishes a live patch by which /proc/cmdline reads as the text, and which repairs CVE-2026-000COUNTER. */
  publishPatch(counter: number, text: string): Promise<void>;
  /** Publishes a change that brings no package. */
  publishChange(change: Pick<PublishRequest, "retract">): Promise<void>;
}

/** Starts one that has the published .repo, and nothing installed; the initial live patch is there to be. */
export async function startRpmMachine(client: RpmClient): Promise<RpmMachine> {
  const place = await scratch();
  try {
    const key = await newKey(join(place.path, "key.asc"));
    const folder = join(place.path, "served");
    const repository = join(folder, "patches");
    const directory = join(place.path, "packages");
    const built = join(place.path, "built");
    const request = { directory, formats: ["rpm"] as const, maintainer, dateSeconds };
    const kernel = await testKernel();
    const publish = async (files: readonly { readonly path: string }[], more = {}): Promise<void> => {
      const paths = files.map(({ path }) => path);
      await publishWith([key], repository, paths, { settings: { url: `${served}/patches` }, ...more });
    };
    await mkdir(repository, { recursive: true });
    const { modulePath: module } = await initialPatch(built);
    await publish([
      ...(await makePackage({ ...request, module }, { signal })).files,
      ...(await makeMetapackage({ ...request, kernel }, { signal })),
      ...(await hostToolPackages(directory, { formats: ["rpm"] })),
    ]);
    await makeStandIns(join(folder, "standins"), { kernels: ["55"], shell: false });
    await writeFile(join(folder, "standins.repo"), standInsSetup("/share/standins"));
    const machine = await startDebianMachine(kernel, folder, client.packages);
    await machine.ok(
      `mkdir -p ${client.setups} && cp /share/standins.repo /share/patches/rpm/stable/kgraft.repo ${client.setups}`,
    );
    return {
      machine,
      async publishPatch(counter, text) {
        const fixes = [{ id: `CVE-2026-000${counter}`, title: "" }];
        const name = `kgraft_patch_${counter}_1`;
        const { modulePath } = await cmdlinePatch(built, name, text, fixes);
        await publish((await makePackage({ ...request, module: modulePath }, { signal })).files);
      },
      publishChange: (change) => publish([], change),
      async [Symbol.asyncDispose]() {
        await machine[Symbol.asyncDispose]();
        await place[Symbol.asyncDispose]();
      },
    };
  } catch (cause) {
    await place[Symbol.asyncDispose]();
    throw cause;
  }
}
