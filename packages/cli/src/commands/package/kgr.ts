import { makeHostTool } from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../../context.ts";
import { buildKgr, hostTool } from "../../machine/kgr-builder.ts";
import { parseCount } from "../../parameters.ts";
import { follow, kgrTitles } from "../../stages.ts";
import {
  formatFlag,
  maintainerFlag,
  outputFlag,
  type PackageFlags,
  packageLines,
  packageRequest,
} from "./common.ts";

interface Flags extends PackageFlags {
  readonly revision?: number;
}

async function run(this: Context, flags: Flags): Promise<void> {
  const request = packageRequest(flags, process.env);
  const progress = follow(this.board, kgrTitles);
  const binary = await buildKgr({ onProgress: progress.onProgress, signal: this.signal });
  progress.done();
  const stage = this.board.stage("Writing the packages");
  const { tree, version, manualPages } = hostTool;
  const files = await makeHostTool(
    {
      ...request,
      binary,
      tree,
      version,
      manualPages,
      revision: String(flags.revision ?? 1),
      architecture: "amd64",
    },
    this,
  );
  stage.done(`kgr ${version}`);
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
      output: outputFlag,
      format: formatFlag,
      maintainer: maintainerFlag,
      json: jsonFlag,
    },
    aliases: { o: "output" },
  },
  docs: {
    brief: "Package kgr, the tool of the patched machine",
    fullDescription: `Builds kgr and writes a .deb and an .rpm with the binary, its units and hooks, completions,
manual pages and settings. The package of every live patch depends on it.

Examples:
  kgraft package kgr -o packages`,
  },
});
