/** The control: without the patch the reproducer must crash the kernel, or nothing that follows proves anything. */
import type { LivePatch } from "@kgraft/build";
import type { KernelTree } from "@kgraft/kernel";
import { bootGuest, type KernelOops } from "@kgraft/lab";
import type { Context } from "../context.ts";
import { DemoFailed } from "../errors.ts";
import type { ControlReport } from "./report.ts";
import { mountCommand, quietRounds, rounds } from "./scenario.ts";

const crashTimeMs = 120_000;

/** Boots the stock kernel and runs the reproducer. @throws DemoFailed where the kernel survives it */
export async function runControl(kernel: KernelTree, { board, signal }: Context): Promise<KernelOops> {
  const stage = board.stage("Running the reproducer on the stock kernel, in QEMU", { fleeting: true });
  try {
    return await crash(kernel, signal);
  } finally {
    stage.drop();
  }
}

async function crash(kernel: KernelTree, signal: AbortSignal): Promise<KernelOops> {
  await using guest = await bootGuest({ ...guestOptions(kernel), timeoutMs: 300_000, signal });
  const run = guest.run(`${mountCommand} && ${rounds(quietRounds)}`, { timeoutMs: crashTimeMs });
  const first = await Promise.race([guest.oops, run.catch((error: unknown) => error)]);
  if (isOops(first) && first.kind === "bug") return first;
  signal.throwIfAborted();
  throw new DemoFailed(
    `the control did not crash: ${release(kernel)} survived the reproducer, wanted an oops`,
    "take a version that has the fault: kgraft demo --release RELEASE --from VERSION --to VERSION",
    { cause: first },
  );
}

function isOops(value: unknown): value is KernelOops {
  return typeof value === "object" && value !== null && "callTrace" in value;
}

function release({ release: name, packageVersion }: KernelTree): string {
  return `${name} (${packageVersion})`;
}

/** What both guests have: the same machine, so that the patch is the only difference. */
export function guestOptions(kernel: KernelTree): {
  readonly kernel: KernelTree;
  readonly diskSizeBytes: number;
  readonly diskFileSystem: "ext4";
  readonly cpus: number;
  readonly memoryMib: number;
} {
  // One processor more than the load keeps busy with writing, so that tasks run in the kernel while the patch comes.
  return { kernel, diskSizeBytes: 64 << 20, diskFileSystem: "ext4", cpus: 3, memoryMib: 1024 };
}

/** The crash must be the one that the patch repairs. @throws DemoFailed */
export function controlReport(oops: KernelOops, livePatch: LivePatch): ControlReport {
  const replaced = livePatch.manifest.functions.map(({ name }) => name);
  const involved = [oops.function, ...oops.callTrace].filter(
    (name) => name !== null && replaced.includes(name),
  );
  if (involved.length === 0) {
    throw new DemoFailed(
      `the control crashed elsewhere: in ${oops.function ?? "an unknown function"}, wanted one of ${replaced.join(", ")}`,
      oops.text.split("\n").slice(0, 12).join("\n"),
    );
  }
  const { title, function: name, task, callTrace } = oops;
  return { crashed: true, title, function: name, task, callTrace };
}
