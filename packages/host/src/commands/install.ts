import type { InstallReport } from "@kgraft/contract";
import { checkMayInstall } from "../change.ts";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { NotFoundError } from "../errors.ts";
import { kernelRelease } from "../kernel-identity.ts";
import { n, t } from "../language.ts";
import { patchName, readPatch } from "../livepatch.ts";
import { whileLocked } from "../lock.ts";
import { checkInstallable, install, installedPatches, uninstall } from "../store.ts";

export const installCommand: Command = {
  name: "install",
  operand: "FILE.ko",
  options: ["dry-run"],
  brief: n`have a live patch loaded at each boot`,
  details: n`Copies FILE.ko and its manifest FILE.json to where packages put live patches,\nunder the kernel release that it is for. It is in force from the next boot of\nthat kernel on; kgr load puts it into force now.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    checkMayInstall(system);
    const path = invocation.operand.replace(/^-/, "./-");
    const installable = await checkInstallable(system, path);
    const { name, kernel } = installable.manifest;
    const dryRun = invocation.options.has("dry-run");
    if (!dryRun) {
      await whileLocked(context, () => install(system, installable));
    }
    if (invocation.json) {
      const report = { action: "install", patch: name, release: kernel.release } as const;
      printJson(system, { ...report, ...(dryRun && { dryRun }) } satisfies InstallReport);
    } else {
      const text = dryRun
        ? t`would be installed for ${kernel.release}`
        : t`installed for ${kernel.release}, in force from its next boot on; now: kgr load ${path}`;
      printLines(system, [`${name}: ${text}`]);
    }
    return 0;
  },
};

export const uninstallCommand: Command = {
  name: "uninstall",
  operand: "NAME",
  options: ["dry-run"],
  brief: n`have a live patch no longer loaded at boot`,
  details: n`Removes what kgr install copied for the running kernel. A patch in force stays\nin force until the next boot; kgr disable ends that now.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    checkMayInstall(system);
    const name = patchName(invocation.operand);
    const release = kernelRelease(system);
    const patch = (await installedPatches(system, release)).find((installed) => installed.name === name);
    if (patch === undefined) {
      throw new NotFoundError(
        t`cannot uninstall ${name}: it is not installed for kernel ${release}`,
        t`see what is with: kgr -v status`,
      );
    }
    const dryRun = invocation.options.has("dry-run");
    if (!dryRun) {
      await whileLocked(context, () => uninstall(system, patch));
    }
    if (invocation.json) {
      const report = { action: "uninstall", patch: name, release } as const;
      printJson(system, { ...report, ...(dryRun && { dryRun }) } satisfies InstallReport);
    } else {
      const inForce = readPatch(system, name)?.state === "active";
      const text = dryRun ? t`would be uninstalled` : t`uninstalled`;
      printLines(system, [
        `${name}: ${text}`,
        ...(inForce
          ? [t`${name}: in force until the next boot; end that now with: kgr disable ${name}`]
          : []),
      ]);
    }
    return 0;
  },
};
