import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildInitial } from "@kgraft/build";
import { openKernel } from "@kgraft/kernel";
import { makeMetapackage, makePackage, type PackageFile } from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context } from "../../context.ts";
import { parseText } from "../../parameters.ts";
import { type SigningFlags, signingFlags, signingOf } from "../../signing-flags.ts";
import { packageAliases, type PackageFlags, packageFlags, packageLines, packageRequest } from "./common.ts";

interface Flags extends PackageFlags, Omit<SigningFlags, "signHash"> {
  readonly kernel: string;
}

async function run(this: Context, flags: Flags): Promise<void> {
  const kernel = await openKernel(flags.kernel);
  const request = packageRequest(flags, process.env);
  const stage = this.board.stage("Writing the packages");
  const directory = await mkdtemp(join(tmpdir(), "kgraft-initial-"));
  let files: readonly PackageFile[];
  try {
    const name = "kgraft_patch_1_1";
    const { modulePath } = await buildInitial({ kernel, name, directory, ...signingOf(flags) }, this.signal);
    const patch = await makePackage({ ...request, module: modulePath }, this);
    files = [...patch.files, ...(await makeMetapackage({ ...request, kernel }, this))];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  stage.done(`the initial live patch of ${kernel.release}`);
  answer(this, flags.json, { files }, () => packageLines(files, this.style));
}

export const packageInitialCommand: Command<Context> = buildCommand<Flags, [], Context>({
  func: run,
  parameters: {
    flags: {
      kernel: {
        kind: "parsed",
        parse: parseText,
        brief: "Release of the kernel, fetched before",
        placeholder: "RELEASE",
      },
      ...signingFlags,
      ...packageFlags,
    },
    aliases: packageAliases,
  },
  docs: {
    brief: "Package the initial live patch of a kernel, and the metapackage that brings it",
    fullDescription: `The initial live patch is version 1 and replaces nothing: with it installed, every later
one is an update like any other. The metapackage, kgraft-patch-cloud-amd64 for a kernel
of that flavour, brings the initial live patch of each new kernel to the machines that
have it. To be published together with each new kernel of the distribution.

Examples:
  kgraft package initial --kernel 6.1.0-55-cloud-amd64 -o packages`,
  },
});
