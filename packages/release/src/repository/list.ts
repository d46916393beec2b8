/** The advisories of a channel, as its publisher remembers them. */
import type { Advisory } from "@kgraft/contract";
import { exportPublicKeys, type Signer } from "../keys/gnupg.ts";
import { readAdvisory } from "./advisories.ts";
import { RepositoryUnfit } from "./errors.ts";
import { readState } from "./state.ts";
import type { Store } from "./store.ts";

/** In the order of their publication. @throws RepositoryUnfit */
export async function readAdvisories(
  store: Store,
  channel: string,
  signer: Signer,
  signal: AbortSignal,
): Promise<readonly Advisory[]> {
  const { ledger } = await readState(store, channel, await exportPublicKeys(signer, signal), signal);
  if (ledger === undefined) {
    throw new RepositoryUnfit(
      `cannot read the advisories of ${store.name}: nothing was published there to channel ${channel}`,
      "name the repository and the channel as for kgraft publish",
    );
  }
  return Promise.all(ledger.advisories.map((record) => readAdvisory(store, channel, record)));
}
