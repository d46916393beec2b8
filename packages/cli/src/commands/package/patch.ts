import { makePackage, readPackageChangelog } from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context } from "../../context.ts";
import { parsePath, parseText, parseVersion } from "../../parameters.ts";
import { packageAliases, type PackageFlags, packageFlags, packageLines, packageRequest } from "./common.ts";
import { writeHostTool } from "./kgr.ts";

interface Flags extends PackageFlags {
  readonly version?: { readonly counter: number; readonly rebuild: number };
  readonly previous?: string;
  readonly rpmKernel?: string;
  readonly withKgr: boolean;
}

async function run(this: Context, flags: Flags, module: string): Promise<void> {
  const { previous, version, rpmKernel } = flags;
  const changelog = previous === undefined ? [] : await readPackageChangelog(previous, this);
  const stage = this.board.stage("Writing the packages");
  const built = await makePackage(
    {
      ...packageRequest(flags, process.env),
      module,
      changelog,
      ...(version !== undefined && { version }),
      ...(rpmKernel !== undefined && { rpmKernel: rpmKernel === "none" ? null : rpmKernel }),
    },
    this,
  );
  stage.done(`${built.version} for ${built.manifest.kernel.release}`);
  const files = flags.withKgr ? [...built.files, ...(await writeHostTool(this, flags))] : built.files;
  answer(this, flags.json, { ...built, files }, () => packageLines(files, this.style));
}

export const packagePatchCommand: Command<Context> = buildCommand<Flags, [string], Context>({
  func: run,
  parameters: {
    flags: {
      version: {
        kind: "parsed",
        parse: parseVersion,
        brief: "Version of the package; from the module's name if not given",
        placeholder: "COUNTER-REBUILD",
        optional: true,
      },
      previous: {
        kind: "parsed",
        parse: parsePath,
        brief: "The .deb of the version before, whose changelog goes on",
        placeholder: "FILE.deb",
        optional: true,
      },
      rpmKernel: {
        kind: "parsed",
        parse: parseText,
        brief: "What the .rpm requires as the kernel, or none",
        placeholder: "CAPABILITY",
        optional: true,
      },
      withKgr: {
        kind: "boolean",
        brief: "Package kgr too, on which the package depends",
        default: false,
        withNegated: false,
      },
      ...packageFlags,
    },
    aliases: packageAliases,
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "Module as kgraft build wrote it, with its manifest beside it",
          placeholder: "NAME.ko",
          parse: parsePath,
        },
      ],
    },
  },
  docs: {
    brief: "Package a live patch",
    fullDescription: `Writes a .deb and an .rpm of a built live patch, for the one kernel release that it is
for. Installed on a machine that runs that kernel, it is in force at once; its next
version takes its place without a gap. The module's name carries the version, for the
kernel holds no two modules of one name: kgraft_patch_2_1 is version 2, rebuild 1.

With SOURCE_DATE_EPOCH set, same inputs give same bytes.

Examples:
  kgraft build --kernel 6.1.0-55-cloud-amd64 --name kgraft_patch_2_1 fix.patch
  kgraft package patch kgraft_patch_2_1.ko -o packages
  kgraft package patch kgraft_patch_3_1.ko --previous packages/kgraft-patch-6.1.0-55-cloud-amd64_2-1_amd64.deb`,
  },
});
