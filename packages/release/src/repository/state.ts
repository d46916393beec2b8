/** Reading and writing the ledger of a channel, and the word that says how far a publication came. */
import type * as z from "zod/mini";
import { verifySigned } from "../keys/verify.ts";
import { sha256 } from "./blocks.ts";
import { RepositoryUnfit } from "./errors.ts";
import { type Ledger, ledgerSchema } from "./ledger.ts";
import type { Seen, Store, StoredFile } from "./store.ts";

export interface ChannelState {
  /** Undefined where nothing was published yet. */
  readonly ledger: Ledger | undefined;
  /** The ledger's file. */
  readonly path: string | undefined;
  /** The pointer as it was read. */
  readonly seen: Seen;
  /** Time of the last publication that came to its end; less than the ledger's where one was interrupted. */
  readonly finishedTime: number;
}

const pointerLimitBytes = 1 << 20;
const ledgerLimitBytes = 128 << 20;
const damaged = "bring the repository's folder kgraft/ back from a copy";

export function ownFolder(channel: string): string {
  return `kgraft/${channel}`;
}

const pointerPath = (channel: string): string => `${ownFolder(channel)}/ledger.asc`;
export const finishedPath = (channel: string): string => `${ownFolder(channel)}/finished`;
const ledgerPath = (channel: string, hash: string): string => `${ownFolder(channel)}/ledgers/${hash}.json`;

/** @param trusted armored public keys @throws RepositoryUnfit */
export async function readState(
  store: Store,
  channel: string,
  trusted: readonly string[],
  signal: AbortSignal,
): Promise<ChannelState> {
  const file = await store.read(pointerPath(channel), pointerLimitBytes);
  if (file === undefined) return { ledger: undefined, path: undefined, seen: { file }, finishedTime: 0 };
  const name = `${store.name}/${pointerPath(channel)}`;
  const { content } = await verifySigned({ name, data: file.bytes }, trusted, signal);
  const hash = /^Ledger: ([0-9a-f]{64})$/m.exec(content.toString("utf8"))?.[1];
  if (hash === undefined) throw new RepositoryUnfit(`cannot read ${name}: found no Ledger: line`, damaged);
  const finished = await store.read(finishedPath(channel), pointerLimitBytes);
  return {
    ledger: await readLedger(store, channel, hash),
    path: ledgerPath(channel, hash),
    seen: { file },
    finishedTime: Number(/^(\d{1,12})\n$/.exec(finished?.bytes.toString("utf8") ?? "")?.[1] ?? 0),
  };
}

async function readLedger(store: Store, channel: string, hash: string): Promise<Ledger> {
  const path = ledgerPath(channel, hash);
  const file: StoredFile | undefined = await store.read(path, ledgerLimitBytes);
  if (file === undefined)
    throw new RepositoryUnfit(`cannot read ${store.name}/${path}: it is not there`, damaged);
  const found = sha256(file.bytes);
  if (found !== hash) {
    throw new RepositoryUnfit(
      `cannot read ${store.name}/${path}: its hash is ${found}, wanted its name`,
      damaged,
    );
  }
  // Its hash is signed: what is wrong with it now was written by another kgraft.
  const checked = ledgerSchema.safeParse(JSON.parse(file.bytes.toString("utf8")));
  if (checked.success && checked.data.channel === channel) return checked.data;
  const issue: z.core.$ZodIssue | undefined = checked.error?.issues[0];
  throw new RepositoryUnfit(
    `cannot read ${store.name}/${path}: ${issue === undefined ? `it is of channel ${checked.data?.channel}, wanted ${channel}` : `${issue.path.join(".")}: ${issue.message}`}`,
    "publish with the kgraft that wrote it, or a newer one",
  );
}

/** Makes the ledger the one that counts. From here on the publication stands, whatever happens. */
export async function commitLedger(
  store: Store,
  ledger: Ledger,
  seen: Seen,
  clearSign: (text: string) => Promise<string>,
): Promise<string> {
  const bytes = Buffer.from(JSON.stringify(ledger));
  const hash = sha256(bytes);
  const path = ledgerPath(ledger.channel, hash);
  await store.writeLasting(path, bytes);
  const pointer = await clearSign(
    `Channel: ${ledger.channel}\nRevision: ${ledger.revision}\nLedger: ${hash}\n`,
  );
  await store.writePointer(pointerPath(ledger.channel), Buffer.from(pointer), seen);
  return path;
}

export async function markFinished(store: Store, { channel, time }: Ledger): Promise<void> {
  await store.writePointer(finishedPath(channel), Buffer.from(`${time}\n`));
}
