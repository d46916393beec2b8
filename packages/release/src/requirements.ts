/** What this room needs of a machine: programs of the trade, each with the Debian package that brings it. */
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Something that packaging or publishing needs on this machine. */
export interface ToolRequirement {
  readonly what: string;
  /** The Debian package that brings it. */
  readonly packageName: string;
  readonly present: boolean;
}

type Tool = readonly [what: string, packageName: string, program: string];

const ofPackages: readonly Tool[] = [
  ["write .deb packages", "dpkg", "dpkg-deb"],
  ["write .rpm packages", "rpm", "rpmbuild"],
];

const ofRepositories: readonly Tool[] = [
  ["list .deb packages", "apt-utils", "apt-ftparchive"],
  ["list .rpm packages", "createrepo-c", "createrepo_c"],
  ["read and sign .rpm packages", "rpm", "rpmsign"],
  ["read what is in an .rpm package", "rpm2cpio", "rpm2cpio"],
  ["read what is in an .rpm package", "cpio", "cpio"],
  ["sign repositories", "gpg", "gpg"],
  ["hold keys", "gpg-agent", "gpg-agent"],
  ["end an agent", "gpgconf", "gpgconf"],
  ["check signatures", "gpgv", "gpgv"],
  ["compress indexes", "xz-utils", "xz"],
];

/** What this machine has and lacks for making packages. */
export async function checkPackageRequirements(): Promise<readonly ToolRequirement[]> {
  return checkTools(ofPackages);
}

/** What this machine has and lacks for publishing. */
export async function checkRepositoryRequirements(): Promise<readonly ToolRequirement[]> {
  return checkTools(ofRepositories);
}

async function checkTools(tools: readonly Tool[]): Promise<readonly ToolRequirement[]> {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return Promise.all(
    tools.map(async ([what, packageName, program]) => {
      const tried = folders.map((folder) => access(join(folder, program), constants.X_OK));
      const present = (await Promise.allSettled(tried)).some(({ status }) => status === "fulfilled");
      return { what, packageName, present };
    }),
  );
}
