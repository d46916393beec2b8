/** The first step: everything that the others need is there, or is installed now. */
import { homedir } from "node:os";
import type { Context } from "../context.ts";
import { formatBytes } from "../format.ts";
import { installPackages } from "../machine/install.ts";
import { checkNothingMissing, missingPackages, readNeeds } from "../machine/requirements.ts";
import { checkSupported, readSpace, readSystem } from "../machine/system.ts";
import type { Steps } from "./steps.ts";

/** @throws MachineUnsupported, RequirementsMissing, InstallFailed */
export async function prepareMachine(install: boolean, context: Context, { say }: Steps): Promise<void> {
  const system = await readSystem();
  checkSupported(system);
  const missing = missingPackages(await readNeeds());
  if (install && missing.length > 0) await installPackages(missing, context);
  checkNothingMissing(await readNeeds());
  const space = await readSpace(process.env);
  const { green, dim } = context.style;
  say(
    `   ${green("✔")} ${system.name} on ${system.machine}, nothing is missing${missing.length === 0 ? "" : " any more"}`,
    dim(`     ${formatBytes(space.freeBytes)} free for ${space.path.replace(homedir(), "~")}`),
  );
}
