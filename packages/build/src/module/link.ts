/** From the deltas of a change to the bytes of one live-patch module. */
import type { ElfObject } from "@kgraft/elf";
import type { ShippedKernel } from "../shipped/shipped-kernel.ts";
import type { PatchedDelta } from "../unit.ts";
import { callbacksOf, statesOf } from "./declarations.ts";
import { finishModule, joinModule } from "./module.ts";
import { runObjtool } from "./objtool.ts";

export interface LinkRequest {
  /** KBUILD_MODNAME. */
  readonly name: string;
  readonly glue: ElfObject;
  readonly deltas: readonly PatchedDelta[];
}

/**
 * Links the module: joined, treated by objtool where the kernel wants it, with the livepatch core's symbols.
 *
 * @throws {ChangeRefused} when a name leads nowhere, or the author's declarations contradict each other
 * @throws {ShippedKernelUnfit} when objtool cannot follow the code
 */
export async function linkModule(
  kernel: ShippedKernel,
  { name, glue, deltas }: LinkRequest,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const patched = [...Map.groupBy(deltas, ({ shippedObject }) => shippedObject)].map(
    ([object, ofObject]) => ({
      name: object,
      functions: ofObject.flatMap(({ functions }) => functions),
      callbacks: callbacksOf(ofObject),
    }),
  );
  const states = statesOf(deltas, kernel.layouts);
  const joined = joinModule({ name, glue, deltas, patched, states }, kernel);
  return finishModule(await runObjtool(kernel.tree, joined, signal));
}
