import { listKernels } from "@kgraft/kernel";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { formatBytes, table } from "../format.ts";

interface Flags {
  readonly json: boolean;
}

async function run(this: Context, { json }: Flags): Promise<void> {
  const kernels = await listKernels();
  const head = ["RELEASE", "VERSION", "SUITE", "SIZE", "PREPARED", "COMPILER"].map(this.style.dim);
  answer(this, json, { kernels }, () =>
    kernels.length === 0
      ? ["no kernel is prepared; fetch one with: kgraft kernel fetch RELEASE"]
      : table(
          [
            head,
            ...kernels.map((kernel) => [
              kernel.release,
              kernel.packageVersion,
              kernel.suite,
              formatBytes(kernel.sizeBytes),
              kernel.preparedAt.slice(0, 10),
              kernel.compiler.version,
            ]),
          ],
          [3],
        ),
  );
}

export const kernelListCommand: Command<Context> = buildCommand<Flags, [], Context>({
  func: run,
  parameters: { flags: { json: jsonFlag } },
  docs: {
    brief: "List the prepared kernels",
    fullDescription: `Says what is prepared, how large it is, and which compiler made the kernel.

Examples:
  kgraft kernel list
  kgraft kernel list --json`,
  },
});
