/** What the tests package: live patches that are there without a source change, and the tool itself. */
import { build, buildInitial, type LivePatch } from "@kgraft/build";
import type { ManifestFix } from "@kgraft/contract";
import { buildKgr, hostTool } from "@kgraft/host/build";
import { fetchKernel, type KernelTree } from "@kgraft/kernel";
import { diffOf } from "../../build/test/kernel.ts";
import { type HostToolRequest, makeHostTool, type PackageFile } from "../src/mod.ts";

export const signal: AbortSignal = new AbortController().signal;

/** Wed, 1 Jan 2025: what the packages of the tests are dated by. */
export const dateSeconds = 1_735_689_600;
export const maintainer = "Live patches <live-patches@kgraft.example>";

/** Debian's stock kernel that the guests run. */
export async function testKernel(release = "6.1.0-55-cloud-amd64"): Promise<KernelTree> {
  return fetchKernel({ release }, { onProgress: () => {}, signal });
}

export async function initialPatch(
  directory: string,
  name = "kgraft_patch_1_1",
  kernel?: KernelTree,
): Promise<Pick<LivePatch, "modulePath" | "manifest">> {
  return buildInitial({ kernel: kernel ?? (await testKernel()), directory, name }, signal);
}

/** The packages of the tool, as `kgraft package kgr` makes them. */
export async function hostToolPackages(
  directory: string,
  more: Partial<HostToolRequest> = {},
): Promise<readonly PackageFile[]> {
  return makeHostTool(
    {
      directory,
      formats: ["deb", "rpm"],
      maintainer,
      dateSeconds,
      binary: await buildKgr({ signal }),
      ...hostTool,
      revision: "1",
      architecture: "amd64",
      ...more,
    },
    { signal },
  );
}

/** A live patch by which /proc/cmdline reads as some other text. */
export async function cmdlinePatch(
  directory: string,
  name: string,
  text: string,
  fixes: readonly ManifestFix[] = [],
  of?: KernelTree,
): Promise<LivePatch> {
  const kernel = of ?? (await testKernel());
  const patch = await diffOf(kernel, name, [
    {
      path: "fs/proc/cmdline.c",
      find: "seq_puts(m, saved_command_line);",
      replace: `seq_puts(m, "${text}");`,
    },
  ]);
  return build({ kernel, name, patches: [patch], fixes, directory }, { onProgress: () => {}, signal });
}
