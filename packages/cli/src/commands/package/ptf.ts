import { makePtf, type OtherMember } from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context } from "../../context.ts";
import { parsePackage, parsePath, parsePtf, parseText } from "../../parameters.ts";
import { packageAliases, type PackageFlags, packageFlags, packageLines, packageRequest } from "./common.ts";

interface Flags extends PackageFlags {
  readonly title: string;
  readonly patch?: readonly string[];
  readonly package?: readonly OtherMember[];
}

async function run(this: Context, flags: Flags, number: number): Promise<void> {
  const stage = this.board.stage("Writing the packages");
  const request = packageRequest(flags, process.env);
  const { title, patch = [], package: others = [] } = flags;
  const built = await makePtf({ ...request, number, title, livePatches: patch, others }, this);
  stage.done(`ptf-${number}`);
  answer(this, flags.json, built, () => [
    ...packageLines(built.files, this.style),
    ...built.warnings.map((warning) => this.style.yellow(`warning: ${warning}`)),
  ]);
}

export const packagePtfCommand: Command<Context> = buildCommand<Flags, [number], Context>({
  func: run,
  parameters: {
    flags: {
      title: {
        kind: "parsed",
        parse: parseText,
        brief: "What it repairs, in one line",
        placeholder: "TEXT",
      },
      patch: {
        kind: "parsed",
        parse: parsePath,
        brief: "Live patch of it, named ..._COUNTER_REBUILD_ptfNUMBER; may be given more than once",
        placeholder: "NAME.ko",
        optional: true,
        variadic: true,
      },
      package: {
        kind: "parsed",
        parse: parsePackage,
        brief: "Another package of it, made elsewhere; may be given more than once",
        placeholder: "NAME=VERSION",
        optional: true,
        variadic: true,
      },
      ...packageFlags,
    },
    aliases: packageAliases,
    positional: {
      kind: "tuple",
      parameters: [{ brief: "Number of the PTF", placeholder: "NUMBER", parse: parsePtf }],
    },
  },
  docs: {
    brief: "Package a program temporary fix",
    fullDescription: `Writes a master package ptf-NUMBER and its live patches. It is installed on request and
removed as a whole; a live patch of it needs no reboot, and the next regular one applies
over it. A PTF that brings another base kernel ends the chain of live patches: that is
said here, and before it is installed.

Examples:
  kgraft build --kernel 6.1.0-55-cloud-amd64 --name kgraft_patch_2_1_ptf1234 all.patch ptf.patch
  kgraft package ptf 1234 --title "ext4: fix a hang" --patch kgraft_patch_2_1_ptf1234.ko
  kgraft package ptf 1235 --title "scheduler" --package linux-image-6.1.0-55-cloud-amd64=6.1.192-1+ptf1235`,
  },
});
