/**
 * The package that brings live patches to whatever kernel comes: `kgraft-patch-cloud-amd64` goes with Debian's
 * `linux-image-cloud-amd64`, has its version, and depends on the live patch's package of the kernel that it is up to.
 * For rpm it is one that several versions of may be installed, as of kernels (`multiversion(kernel)`), and that is
 * offered with its kernel wherever `kgr` is installed.
 */
import type { PackageFile } from "./description.ts";
import { flavourOf, patchPackageNames, rpmKernel } from "./naming.ts";
import type { PackageRequest } from "./live-patch.ts";
import type { Work } from "./run.ts";
import { writePackages } from "./write.ts";

export interface MetapackageRequest extends PackageRequest {
  readonly kernel: {
    readonly release: string;
    readonly packageVersion: string;
    readonly architecture: "amd64" | "ppc64el";
  };
}

/** @throws BadPackageInput where the release names no flavour; as makePackage */
export async function makeMetapackage(
  request: MetapackageRequest,
  work: Work,
): Promise<readonly PackageFile[]> {
  const { kernel, maintainer, dateSeconds } = request;
  const { release, packageVersion, architecture } = kernel;
  const flavour = flavourOf(release);
  const patch = patchPackageNames(release);
  const at = packageVersion.lastIndexOf("-");
  const [version, revision] =
    at < 0 ? [packageVersion, "0"] : [packageVersion.slice(0, at), packageVersion.slice(at + 1)];
  const name = `kgraft-patch-${flavour}`;
  return writePackages(
    {
      names: { deb: name.toLowerCase().replaceAll("_", "-"), rpm: name },
      version,
      revision,
      architecture,
      section: "kernel",
      summary: `live patches for Linux ${flavour} (metapackage)`,
      description: [
        `This metapackage depends on the live patches of the newest kernel of ${flavour}, which is ${release}. With it installed, each new kernel comes with its initial live patch, so that later ones are offered as updates.`,
      ],
      deb: { Depends: patch.deb },
      rpm: [
        ["Requires", patch.rpm],
        ["Provides", "multiversion(kernel)"],
        ["Supplements", `(kgr and ${rpmKernel(release)})`],
      ],
      files: [],
      links: [],
      folders: [],
      scriptlets: { deb: {}, rpm: {} },
      changelog: [
        {
          version: packageVersion,
          changes: [`Live patches of ${release}`],
          maintainer,
          dateSeconds,
          isSecurity: false,
        },
      ],
      copyright: "A package without contents, in the public domain.\n",
      license: "CC0-1.0",
      maintainer,
      dateSeconds,
    },
    request,
    work,
  );
}
