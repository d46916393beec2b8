/** The advisories of a channel: what one publication changes of them, and the feeds that are drawn from them. */
import { type Advisory, advisorySchema } from "@kgraft/contract";
import { counterOf, makeAdvisory, timeText } from "../advisory/make-advisory.ts";
import { openVexDocument } from "../advisory/openvex.ts";
import { osvIndex, osvRecord } from "../advisory/osv.ts";
import { sha256 } from "./blocks.ts";
import { BadPublication, RepositoryUnfit } from "./errors.ts";
import type { Ledger, LedgerAdvisory } from "./ledger.ts";
import type { NewPackage } from "./new-packages.ts";
import { ownFolder } from "./state.ts";
import type { Store } from "./store.ts";

export interface Retraction {
  /** Its id. */
  readonly advisory: string;
  readonly reason: string;
}

export interface AdvisoryRequest {
  readonly store: Store;
  readonly channel: string;
  readonly before: readonly LedgerAdvisory[];
  readonly news: readonly NewPackage[];
  readonly retract: Retraction | undefined;
  /** Seconds since 1970. */
  readonly time: number;
}

export interface AdvisoryEdit {
  readonly advisories: readonly LedgerAdvisory[];
  /** New ones, and those that say something else now. */
  readonly changed: readonly Advisory[];
  /** Files of what they said before. */
  readonly replaced: readonly string[];
}

const limitBytes = 4 << 20;

/** Writes what changes, under names that nothing refers to yet. @throws BadPublication, RepositoryUnfit */
export async function editAdvisories(request: AdvisoryRequest): Promise<AdvisoryEdit> {
  const { store, channel, before, news, retract, time } = request;
  const known = new Map(before.map((one) => [one.id, one]));
  const changed = new Map<string, Advisory>();
  const read = async (id: string): Promise<Advisory | undefined> => {
    const record = known.get(id);
    return changed.get(id) ?? (record && (await readAdvisory(store, channel, record)));
  };
  for (const { record, file, manifest } of news) {
    const { advisory: id, format, name, version, architecture } = record;
    if (id === undefined || manifest === undefined) continue;
    const there = await read(id);
    if (there?.status === "retracted") {
      throw new BadPublication(
        `cannot publish ${file}: ${id} was retracted`,
        "give the live patch its next number: machines that had the retracted one must see something newer",
      );
    }
    changed.set(id, makeAdvisory(manifest, { format, name, version, architecture, file }, there, time));
  }
  if (retract !== undefined) {
    const there = await read(retract.advisory);
    if (there === undefined) {
      throw new BadPublication(
        `cannot retract ${retract.advisory}: no such advisory is in channel ${channel}`,
        "type: kgraft advisory list --repository ...",
      );
    }
    changed.set(there.id, { ...there, status: "retracted", reason: retract.reason, updated: timeText(time) });
  }
  const after = new Map(known);
  for (const advisory of changed.values()) after.set(advisory.id, recordOf(advisory, time));
  for (const [id, successor] of successorsToTell(after, [...changed.keys()])) {
    const there = await read(id);
    if (there === undefined || there.supersededBy === successor) continue;
    const { supersededBy: _, ...rest } = there;
    changed.set(id, {
      ...rest,
      ...(successor !== undefined && { supersededBy: successor }),
      updated: timeText(time),
    });
  }
  const replaced: string[] = [];
  for (const advisory of changed.values()) {
    const old = known.get(advisory.id);
    const record = recordOf(advisory, time);
    after.set(advisory.id, record);
    if (old !== undefined && old.sha256 !== record.sha256) replaced.push(advisoryPath(channel, old.sha256));
    await store.writeLasting(advisoryPath(channel, record.sha256), Buffer.from(jsonText(advisory)));
  }
  return { advisories: [...after.values()], changed: [...changed.values()], replaced };
}

/** For each advisory that may be followed otherwise than before: which stable one takes its place, if any. */
function successorsToTell(
  all: ReadonlyMap<string, LedgerAdvisory>,
  changed: readonly string[],
): ReadonlyMap<string, string | undefined> {
  const successors = new Map<string, string | undefined>();
  for (const release of new Set(changed.map((id) => all.get(id)?.release))) {
    const line = [...all.values()]
      .filter((one) => one.release === release)
      .toSorted((a, b) => a.counter - b.counter);
    for (const [at, one] of line.entries()) {
      const later = line.slice(at + 1);
      // Behind a stable one that is as it was nothing matters; retracted ones are looked past.
      const last = later.findIndex(({ id, status }) => status === "stable" && !changed.includes(id));
      const near = [one, ...(last < 0 ? later : later.slice(0, last))];
      if (near.some(({ id }) => changed.includes(id))) {
        successors.set(one.id, later.find(({ status }) => status === "stable")?.id);
      }
    }
  }
  return successors;
}

function recordOf(advisory: Advisory, time: number): LedgerAdvisory {
  const { id, kernel, status, packages } = advisory;
  return {
    id,
    release: kernel.release,
    counter: counterOf(packages[0]?.version ?? ""),
    status,
    updated: time,
    sha256: sha256(jsonText(advisory)),
  };
}

function advisoryPath(channel: string, hash: string): string {
  return `${ownFolder(channel)}/advisories/${hash}.json`;
}

/** @throws RepositoryUnfit where it is not what the ledger says */
export async function readAdvisory(
  store: Store,
  channel: string,
  { id, sha256: hash }: LedgerAdvisory,
): Promise<Advisory> {
  const path = advisoryPath(channel, hash);
  const file = await store.read(path, limitBytes);
  if (file !== undefined && sha256(file.bytes) === hash) {
    const checked = advisorySchema.safeParse(JSON.parse(file.bytes.toString("utf8")));
    if (checked.success) return checked.data;
  }
  throw new RepositoryUnfit(
    `cannot read ${id} from ${store.name}/${path}: it is ${file === undefined ? "not there" : "not what the ledger names"}`,
    "bring the repository's folder kgraft/ back from a copy",
  );
}

export interface FeedsRequest {
  readonly store: Store;
  readonly ledger: Ledger;
  /** Feeds of advisories that changed since then are written. Seconds since 1970. */
  readonly since: number;
}

/** Where the feeds of a channel are. */
export function feedFolder(channel: string): string {
  return `advisories/${channel}`;
}

/** Each advisory as itself, as OSV and as OpenVEX; then the index by which a reader finds what is new. */
export async function writeFeeds({ store, ledger, since }: FeedsRequest): Promise<void> {
  const { channel, advisories, settings } = ledger;
  for (const record of advisories.filter(({ updated }) => updated >= since)) {
    const advisory = await readAdvisory(store, channel, record);
    for (const [path, text] of feedFiles(advisory, channel, settings.origin))
      await store.writePointer(path, Buffer.from(text));
  }
  const [path, text] = feedIndex(ledger);
  await store.writePointer(path, Buffer.from(text));
}

type PlainFile = readonly [path: string, text: string];

/** What the feeds have of one advisory. */
export function feedFiles(advisory: Advisory, channel: string, origin: string): readonly PlainFile[] {
  const folder = feedFolder(channel);
  const file = `${advisory.id}.json`;
  const vex = openVexDocument(advisory, origin);
  return [
    [`${folder}/${file}`, jsonText(advisory)],
    [`${folder}/osv/${file}`, jsonText(osvRecord(advisory))],
    ...(vex === undefined ? [] : [[`${folder}/openvex/${file}`, jsonText(vex)] as const]),
  ];
}

export function feedIndex({ channel, advisories }: Ledger): PlainFile {
  const index = advisories.map(({ id, updated }) => ({ id, updated: timeText(updated) }));
  return [`${feedFolder(channel)}/osv/modified_id.csv`, osvIndex(index)];
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
