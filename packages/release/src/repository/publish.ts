/**
 * One publication, from package files to what clients see.
 *
 * What makes it safe is the order. Everything new is written under names that nothing refers to yet; then the ledger's
 * pointer changes, and with it the publication stands; then the pointers that clients read are drawn anew from the
 * ledger. A crash before the ledger leaves the old state, with some files that nobody knows. A crash after it leaves
 * each client the old or the new state, and the next publication, of anything or of nothing, finishes what was begun.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportPublicKeys, type Signer } from "../keys/gnupg.ts";
import { type AdvisoryEdit, editAdvisories, type Retraction, writeFeeds } from "./advisories.ts";
import { textsIn } from "./blocks.ts";
import { draw, writeLastingFiles, writePointers } from "./draw.ts";
import { editGroups, removedTexts } from "./edit-groups.ts";
import { BadPublication } from "./errors.ts";
import { keysAfter, type Rotation, signingKeys } from "./key-ring.ts";
import { lifecycleAfter, writeLifecycle } from "./lifecycle.ts";
import type { Ledger, LedgerPackage, RepositorySettings } from "./ledger.ts";
import { type NewPackages, newPackages } from "./new-packages.ts";
import type { PublishOptions } from "./progress.ts";
import { defaultSettings, graceSeconds, outdated } from "./retention.ts";
import { type ChannelState, commitLedger, markFinished, ownFolder, readState } from "./state.ts";
import type { Store } from "./store.ts";

export interface PublishRequest {
  readonly store: Store;
  /** Name of the apt suite and of the rpm repository. */
  readonly channel: string;
  /** Paths of .deb and .rpm files; none: the same again, with a new date. */
  readonly packages: readonly string[];
  readonly signer: Signer;
  /** What is to be different from now on. */
  readonly settings?: Partial<RepositorySettings>;
  readonly retract?: Retraction;
  /** What to do with the keys; without it the signer's must be those that the repository is signed with. */
  readonly rotation?: Rotation;
  /** Seconds since 1970; default: now. */
  readonly time?: number;
}

export interface Publication {
  readonly channel: string;
  readonly revision: number;
  readonly added: readonly LedgerPackage[];
  /** Handed in, and there already. */
  readonly unchanged: readonly string[];
  /** Left the index, by the rule or with a retracted advisory. */
  readonly removed: readonly LedgerPackage[];
  /** Advisories that are new or say something else now. */
  readonly advisories: readonly string[];
  /** Seconds since 1970. */
  readonly validUntil: number;
  /** Whether machines take from the channel only what they are told to. */
  readonly onRequest: boolean;
  /** Whether an interrupted publication came to its end along the way. */
  readonly finishedAnother: boolean;
}

/** What is signed for longer overflows the clocks of clients, which end in 2038 or 2106. */
const longestValidDays = 3650;

/**
 * @throws PackageUnfit, RepositoryUnfit, RepositoryBusy, KeyUnfit, KeySigningFailed, StoreFailed, BadPublication,
 * ToolFailed
 */
export async function publish(request: PublishRequest, options: PublishOptions): Promise<Publication> {
  return publishRead(newPackages, request, options);
}

/** The same with packages that were read in another way: a benchmark knows its thousands, and signs none of them. */
export async function publishRead(
  read: typeof newPackages,
  request: PublishRequest,
  options: PublishOptions,
): Promise<Publication> {
  const { store, channel, signer, rotation } = request;
  const { onProgress = () => {}, signal } = options;
  if (!/^[a-z][a-z0-9.-]{0,63}$/.test(channel)) {
    throw new BadPublication(
      `cannot publish to channel ${JSON.stringify(channel)}: wanted a name of small letters, digits, dots and dashes`,
      "such as stable, beta or edge",
    );
  }
  const { validDays } = request.settings ?? {};
  if (validDays !== undefined && !(validDays >= 1 && validDays <= longestValidDays)) {
    throw new BadPublication(
      `cannot publish for ${validDays} days: wanted 1 to ${longestValidDays}`,
      "14 days are long enough to publish again, and short enough for a machine to notice that nobody does",
    );
  }
  const directory = await mkdtemp(join(tmpdir(), "kgraft-publish-"));
  try {
    // 1. What is there, by the signed word of the last publication.
    await using lock = await store.lock();
    const publicKeys = await exportPublicKeys(signer, signal);
    const state = await readState(store, channel, publicKeys, signal);
    const time = Math.max(request.time ?? Math.floor(Date.now() / 1000), state.ledger?.time ?? 0);
    const finishedAnother = state.ledger !== undefined && state.finishedTime < state.ledger.time;
    const keys = keysAfter(state.ledger?.keys ?? [], signer, publicKeys, time, rotation);

    // 2. What is new: read, checked, signed, and put into words for the indexes.
    const known = state.ledger?.packages ?? [];
    const packageKey = signingKeys(keys)[0]?.fingerprint ?? "";
    const offered = keys.map(({ armored }) => armored);
    const news = await read(
      { paths: request.packages, known, channel, directory, signer, packageKey, keys: offered, time },
      options,
    );

    // 3. What is told of it: advisories, and the indexes, block by block; only blocks that change are written.
    onProgress({ stage: "index" });
    const plan = await planLedger(request, state, news, keys, time, signal);
    const drawing = await draw(plan.ledger, plan.texts, signer);

    // 4. All that is lasting: nobody knows of it yet.
    onProgress({ stage: "write" });
    for (const { record, copy } of news.added) await store.writeLasting(record.path, await readFile(copy));
    const files = await writeLastingFiles(store, drawing);
    const ledger = withFiles(plan.ledger, state.ledger, files, plan.removed);

    // 5. From here on it stands.
    signal.throwIfAborted();
    lock.check();
    const path = await commitLedger(store, ledger, state.seen, signer.clearSign);

    // 6. What clients read first, then the feeds and the lifecycle data.
    await writePointers(store, drawing);
    const sameOrigin = state.ledger?.settings.origin === ledger.settings.origin;
    await writeFeeds({ store, ledger, since: sameOrigin ? state.finishedTime : 0 });
    await writeLifecycle(store, ledger, finishedAnother ? undefined : state.ledger?.lifecycle);
    await markFinished(store, ledger);

    // 7. What nobody can have use for any more.
    onProgress({ stage: "clean" });
    const inUse = new Set([path, ...ledger.files, ...ledger.packages.map((one) => one.path)]);
    for (const one of [...plan.unused, ...(state.path === undefined ? [] : [state.path])]) {
      if (!inUse.has(one)) await store.remove(one);
    }
    return {
      channel,
      revision: ledger.revision,
      added: news.added.map(({ record }) => record),
      unchanged: news.unchanged,
      removed: plan.removed,
      advisories: plan.told.changed.map(({ id }) => id),
      validUntil: time + ledger.settings.validDays * 86_400,
      onRequest: ledger.settings.onRequest ?? false,
      finishedAnother,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface LedgerPlan {
  readonly ledger: Ledger;
  readonly told: AdvisoryEdit;
  readonly removed: readonly LedgerPackage[];
  readonly texts: ReturnType<typeof textsIn>;
  /** Files to be removed when the ledger stands. */
  readonly unused: readonly string[];
}

async function planLedger(
  { store, channel, retract, settings: own }: PublishRequest,
  { ledger: before }: ChannelState,
  { added }: NewPackages,
  keys: Ledger["keys"],
  time: number,
  signal: AbortSignal,
): Promise<LedgerPlan> {
  const settings: RepositorySettings = { ...(before?.settings ?? defaultSettings), ...own };
  const told = await editAdvisories({
    store,
    channel,
    before: before?.advisories ?? [],
    news: added,
    retract,
    time,
  });
  const all = [...(before?.packages ?? []), ...added.map(({ record }) => record)];
  const retracted = all.filter(({ advisory }) => advisory !== undefined && advisory === retract?.advisory);
  const removed = [
    ...retracted,
    ...outdated(
      all.filter((one) => !retracted.includes(one)),
      settings,
      time,
    ),
  ];
  const gone = new Set(removed.map(({ path }) => path));
  const folder = `${ownFolder(channel)}/blocks`;
  const texts = textsIn(store, folder, signal);
  const change = { added, removed, advisories: told.changed, origin: settings.origin };
  const groups = await editGroups(before?.groups ?? {}, change, texts);
  const dropped = before?.dropped ?? [];
  const expired = dropped.filter(({ at }) => at + graceSeconds <= time);
  return {
    ledger: {
      schema: "kgraft-repository/1",
      channel,
      revision: (before?.revision ?? 0) + 1,
      time,
      settings,
      keys,
      packages: all.filter(({ path }) => !gone.has(path)),
      advisories: told.advisories,
      lifecycle: lifecycleAfter(before?.lifecycle, added, settings, time),
      groups,
      files: [],
      dropped: dropped.filter((one) => !expired.includes(one)),
    },
    told,
    removed,
    texts,
    unused: [
      ...expired.map(({ path }) => path),
      ...told.replaced,
      ...removedTexts(before?.groups ?? {}, groups, folder),
    ],
  };
}

/** The ledger with its index files, and with what goes out of use: the old index files, and packages that left. */
function withFiles(
  ledger: Ledger,
  before: Ledger | undefined,
  files: readonly string[],
  removed: readonly LedgerPackage[],
): Ledger {
  const inUse = new Set([...files, ...ledger.packages.map(({ path }) => path)]);
  const leaving = [...(before?.files ?? []), ...removed.map(({ path }) => path)].filter(
    (path) => !inUse.has(path),
  );
  return {
    ...ledger,
    files,
    dropped: [
      ...ledger.dropped.filter(({ path }) => !inUse.has(path)),
      ...leaving.map((path) => ({ path, at: ledger.time })),
    ],
  };
}
