/** What machines have to know of a channel before they take anything from it, by the signed word of its publisher. */
import { aptKeys, rpmKeys } from "./draw.ts";
import { BadPublication } from "./errors.ts";
import { signingKeys } from "./key-ring.ts";
import { readState } from "./state.ts";
import type { Store } from "./store.ts";

export interface ChannelTrust {
  readonly url: string;
  readonly channel: string;
  readonly origin: string;
  readonly onRequest?: boolean;
  /** Of the keys that sign now. */
  readonly fingerprints: readonly string[];
  /** Armored: those that sign now; and for rpm also those that signed packages which are still there. */
  readonly aptKeys: string;
  readonly rpmKeys: string;
}

/** @param trusted armored public keys @throws RepositoryUnfit; BadPublication where nothing says where it is served */
export async function readTrust(
  store: Store,
  channel: string,
  trusted: readonly string[],
  signal: AbortSignal,
): Promise<ChannelTrust> {
  const { ledger } = await readState(store, channel, trusted, signal);
  if (ledger === undefined || ledger.settings.url === undefined) {
    throw new BadPublication(
      `cannot tell machines of ${store.name} ${channel}: ${ledger === undefined ? "nothing was published there" : "found no address under which it is served"}`,
      "publish with --url, and with no package if there is none",
    );
  }
  const { url, origin, onRequest = false } = ledger.settings;
  const fingerprints = signingKeys(ledger.keys).map(({ fingerprint }) => fingerprint);
  return {
    url,
    channel,
    origin,
    onRequest,
    fingerprints,
    aptKeys: aptKeys(ledger),
    rpmKeys: rpmKeys(ledger),
  };
}
