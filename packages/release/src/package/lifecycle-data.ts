/**
 * The package that tells machines until when live patches are made for their kernels, `lifecycle-data-kgraft`: SUSE's
 * name for such packages, and the place where `zypper lifecycle` and `kgr lifecycle` look. Its version is the time at
 * which it was made, so each later one is an update.
 */
import type { Lifecycle } from "@kgraft/contract";
import { lifecycleDirectory, lifecycleFiles } from "../lifecycle/files.ts";
import type { PackageFile } from "./description.ts";
import type { PackageRequest } from "./live-patch.ts";
import type { Work } from "./run.ts";
import { writePackages } from "./write.ts";

export interface LifecycleDataRequest extends PackageRequest {
  readonly lifecycle: Lifecycle;
}

const name = "lifecycle-data-kgraft";

/** @throws as makePackage */
export async function makeLifecycleData(
  request: LifecycleDataRequest,
  work: Work,
): Promise<readonly PackageFile[]> {
  const { lifecycle, maintainer, dateSeconds } = request;
  const [version = "", revision = ""] = new Date(dateSeconds * 1000)
    .toISOString()
    .replaceAll(/[-:]|\..*/g, "")
    .split("T");
  return writePackages(
    {
      names: { deb: name, rpm: name },
      version,
      revision,
      architecture: "all",
      section: "admin",
      summary: "until when live patches are made for each kernel",
      description: [
        "This package has the day until which live patches are made for each kernel release. The commands kgr lifecycle and zypper lifecycle read it, and kgr tells when the running kernel is about to be without new live patches.",
      ],
      deb: {},
      rpm: [],
      files: [
        {
          path: `${lifecycleDirectory}/kgraft.lifecycle`,
          source: Buffer.from(lifecycleFiles(lifecycle)["kgraft.lifecycle"]),
        },
      ],
      links: [],
      folders: [],
      scriptlets: { deb: {}, rpm: {} },
      changelog: [
        {
          version: `${version}-${revision}`,
          changes: [`Lifecycle of ${lifecycle.kernels.length} kernel releases`],
          maintainer,
          dateSeconds,
          isSecurity: false,
        },
      ],
      copyright: "Lists of dates, in the public domain.\n",
      license: "CC0-1.0",
      maintainer,
      dateSeconds,
    },
    request,
    work,
  );
}
