import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Something that publishing needs on this machine. */
export interface RepositoryRequirement {
  readonly what: string;
  /** The Debian package that brings it. */
  readonly packageName: string;
  readonly present: boolean;
}

const tools: readonly (readonly [what: string, packageName: string, program: string])[] = [
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

/** What this machine has and lacks for publishing. */
export async function checkRepositoryRequirements(): Promise<readonly RepositoryRequirement[]> {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return Promise.all(
    tools.map(async ([what, packageName, program]) => {
      const tried = folders.map((folder) => access(join(folder, program), constants.X_OK));
      const present = (await Promise.allSettled(tried)).some(({ status }) => status === "fulfilled");
      return { what, packageName, present };
    }),
  );
}
