import { makeLifecycleData, parseLifecycleJson } from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context } from "../../context.ts";
import { readInput } from "../../input-file.ts";
import { parsePath } from "../../parameters.ts";
import { packageAliases, type PackageFlags, packageFlags, packageLines, packageRequest } from "./common.ts";

async function run(this: Context, flags: PackageFlags, file: string): Promise<void> {
  const hint = "kgraft publish writes it into the repository, as lifecycle/CHANNEL/lifecycle.json";
  const bytes = await readInput(file, { hint, signal: this.signal });
  const lifecycle = parseLifecycleJson(bytes.toString("utf8"), file);
  const stage = this.board.stage("Writing the packages");
  const files = await makeLifecycleData({ ...packageRequest(flags, process.env), lifecycle }, this);
  stage.done("lifecycle-data-kgraft");
  answer(this, flags.json, { files }, () => packageLines(files, this.style));
}

export const packageLifecycleCommand: Command<Context> = buildCommand<PackageFlags, [string], Context>({
  func: run,
  parameters: {
    flags: packageFlags,
    aliases: packageAliases,
    positional: {
      kind: "tuple",
      parameters: [{ brief: "A channel's lifecycle data", parse: parsePath, placeholder: "lifecycle.json" }],
    },
  },
  docs: {
    brief: "Package until when live patches are made for each kernel",
    fullDescription: `Writes lifecycle-data-kgraft, a .deb and an .rpm with what kgraft publish promised, for kgr lifecycle
and zypper lifecycle on the machines. docs/lifecycle.md tells more.

Examples:
  kgraft package lifecycle /srv/patches/lifecycle/stable/lifecycle.json -o packages`,
  },
});
