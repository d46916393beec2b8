import { fetchKernel, type KernelTree } from "@kgraft/kernel";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { archFlag, type ArchitectureName, parseText, suiteFlag } from "../parameters.ts";
import { follow, kernelTitles } from "../stages.ts";

interface Flags {
  readonly suite?: string;
  readonly arch?: ArchitectureName;
  readonly json: boolean;
}

async function run(this: Context, flags: Flags, release: string): Promise<void> {
  const progress = follow(this.board, kernelTitles);
  const tree = await fetchKernel(
    {
      release,
      ...(flags.suite !== undefined && { suite: flags.suite }),
      ...(flags.arch !== undefined && { architecture: flags.arch }),
    },
    { onProgress: progress.onProgress, signal: this.signal },
  );
  progress.done();
  answer(this, flags.json, documentOf(tree), () => [
    `${this.style.bold(tree.release)} (${tree.packageVersion}) is ready in ${tree.directory}`,
  ]);
}

function documentOf(tree: KernelTree): object {
  const { release, packageVersion, suite, architecture, compiler, buildId, sizeBytes, directory } = tree;
  return { release, packageVersion, suite, architecture, compiler, buildId, sizeBytes, directory };
}

export const kernelFetchCommand: Command<Context> = buildCommand<Flags, [string], Context>({
  func: run,
  parameters: {
    flags: { suite: suiteFlag, arch: archFlag, json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [{ brief: "What `uname -r` prints there", placeholder: "RELEASE", parse: parseText }],
    },
  },
  docs: {
    brief: "Fetch and prepare a distribution kernel",
    fullDescription: `Fetches a kernel's image, headers, debug and source packages, checks them against the
repository's hashes, and prepares the tree that live patches are built in. What is there
is not fetched again; an interrupted run goes on where it stopped.

Examples:
  kgraft kernel fetch 6.1.0-55-cloud-amd64
  kgraft kernel fetch 6.12.0-1-amd64 --suite trixie`,
  },
});
