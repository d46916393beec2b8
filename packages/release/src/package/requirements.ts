import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Something that packaging needs on this machine. */
export interface PackageRequirement {
  readonly what: string;
  /** The Debian package that brings it. */
  readonly packageName: string;
  readonly present: boolean;
}

const tools: readonly (readonly [what: string, packageName: string, program: string])[] = [
  ["write .deb packages", "dpkg", "dpkg-deb"],
  ["write .rpm packages", "rpm", "rpmbuild"],
];

/** What this machine has and lacks for making packages. */
export async function checkRequirements(): Promise<readonly PackageRequirement[]> {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return Promise.all(
    tools.map(async ([what, packageName, program]) => {
      const tried = folders.map((folder) => access(join(folder, program), constants.X_OK));
      const present = (await Promise.allSettled(tried)).some(({ status }) => status === "fulfilled");
      return { what, packageName, present };
    }),
  );
}
