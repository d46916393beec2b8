/** What each command needs on this machine, gathered from the rooms that do the work. */
import { checkRequirements as checkKernel } from "@kgraft/kernel";
import { checkRequirements as checkLab } from "@kgraft/lab";
import { checkPackageRequirements, checkRepositoryRequirements } from "@kgraft/release";
import { RequirementsMissing } from "../errors.ts";
import { machineRequirements as checkKgr } from "./kgr-builder.ts";

export interface Need {
  readonly what: string;
  /** Debian's package that brings it. */
  readonly packageName: string;
  readonly present: boolean;
}

export interface CommandNeeds {
  readonly commands: readonly string[];
  readonly needs: readonly Need[];
}

export async function readNeeds(): Promise<readonly CommandNeeds[]> {
  return [
    { commands: ["kernel fetch", "diff", "build"], needs: (await checkKernel()).map(need) },
    { commands: ["lab run"], needs: (await checkLab()).map(need) },
    { commands: ["package"], needs: (await checkPackageRequirements()).map(need) },
    { commands: ["publish", "key", "advisory"], needs: (await checkRepositoryRequirements()).map(need) },
    { commands: ["lifecycle"], needs: checkKgr().map(need) },
    { commands: ["demo, kgr in lab run (besides all of the above)"], needs: checkKgr().map(need) },
  ];
}

function need({ what, packageName, present }: Need): Need {
  return { what, packageName, present };
}

/** Packages that bring what is missing, each once. */
export function missingPackages(groups: readonly CommandNeeds[]): readonly string[] {
  const missing = groups.flatMap(({ needs }) => needs.filter(({ present }) => !present));
  return [...new Set(missing.map(({ packageName }) => packageName))].toSorted((a, b) => a.localeCompare(b));
}

/** The one line that mends it. */
export function installLine(packages: readonly string[], isRoot: boolean = process.getuid?.() === 0): string {
  return `${isRoot ? "" : "sudo "}apt-get install ${packages.join(" ")}`;
}

/** @throws RequirementsMissing */
export function checkNothingMissing(groups: readonly CommandNeeds[]): void {
  const packages = missingPackages(groups);
  if (packages.length === 0) return;
  throw new RequirementsMissing(
    `this machine lacks ${packages.join(", ")}`,
    `${installLine(packages)}\nor let kgraft do it: kgraft doctor --install`,
  );
}
