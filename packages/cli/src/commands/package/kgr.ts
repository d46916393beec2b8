import { makeHostTool, type PackageFile } from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context } from "../../context.ts";
import { buildKgr, hostTool } from "../../machine/kgr-builder.ts";
import { parseCount } from "../../parameters.ts";
import { follow, kgrTitles } from "../../stages.ts";
import { packageAliases, type PackageFlags, packageFlags, packageLines, packageRequest } from "./common.ts";

interface Flags extends PackageFlags {
  readonly revision?: number;
}

/** Builds kgr where it is not in the cache, and packages it. */
export async function writeHostTool(
  context: Context,
  flags: PackageFlags,
  revision = 1,
): Promise<readonly PackageFile[]> {
  const request = packageRequest(flags, process.env);
  const progress = follow(context.board, kgrTitles);
  const binary = await buildKgr({ onProgress: progress.onProgress, signal: context.signal });
  progress.done();
  const stage = context.board.stage("Packaging kgr");
  const what = { ...hostTool, binary, revision: String(revision), architecture: "amd64" } as const;
  const files = await makeHostTool({ ...request, ...what }, context);
  stage.done(`kgr ${hostTool.version}`);
  return files;
}

async function run(this: Context, flags: Flags): Promise<void> {
  const files = await writeHostTool(this, flags, flags.revision);
  answer(this, flags.json, { files }, () => packageLines(files, this.style));
}

export const packageKgrCommand: Command<Context> = buildCommand<Flags, [], Context>({
  func: run,
  parameters: {
    flags: {
      revision: {
        kind: "parsed",
        parse: parseCount,
        brief: "Which package of this version of kgr; 1 if not given",
        placeholder: "N",
        optional: true,
      },
      ...packageFlags,
    },
    aliases: packageAliases,
  },
  docs: {
    brief: "Package kgr, the tool of the patched machine",
    fullDescription: `Builds kgr and writes a .deb and an .rpm with the binary, its units and hooks, completions,
manual pages and settings. The package of every live patch depends on it.

Examples:
  kgraft package kgr -o packages`,
  },
});
