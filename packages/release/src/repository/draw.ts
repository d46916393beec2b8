/**
 * The files that clients read, drawn from a ledger: first the lasting ones, each under its hash; then, all at once
 * and in the order in which nobody can be misled, the pointers to them.
 *
 * apt reads InRelease, one file with its signature in it, and takes the indexes by the hashes in it: it sees the old
 * or the new, never both. An rpm client reads repomd.xml and its signature as two files. They change at once, but not
 * for a client that has read one of them before and reads the other after: it refuses what it has (the signature is not
 * of these contents), keeps what it had, and finds the new the next time.
 */
import type { Signer } from "../keys/gnupg.ts";
import { aptSetup, rpmSetup } from "../keys/setup-text.ts";
import { updateinfoHead, updateinfoTail } from "../advisory/updateinfo.ts";
import { indexFolder, releaseText } from "./apt-index.ts";
import { type IndexFile, joinBlocks, type Texts } from "./blocks.ts";
import { debKind, rpmKind, updateinfoKind } from "./entries.ts";
import { signingKeys } from "./key-ring.ts";
import type { Ledger } from "./ledger.ts";
import { indexName, keyFile, repomdText, rpmHeads, rpmTails, suseinfoText } from "./rpm-index.ts";
import type { NamedFile, Store } from "./store.ts";

const daySeconds = 86_400;

export interface Drawing {
  /** Lasting files, by their path. */
  readonly lasting: ReadonlyMap<string, Buffer>;
  /** In the order in which they are to be written. */
  readonly pointers: readonly (readonly [path: string, content: string | Buffer])[];
  /** What changes at once, after the pointers: the files in `repodata`. */
  readonly together: { readonly folder: string; readonly files: readonly NamedFile[] };
}

export function aptFolder(channel: string): string {
  return `dists/${channel}`;
}

export function rpmFolder(channel: string): string {
  return `rpm/${channel}`;
}

export async function draw(ledger: Ledger, texts: Texts, signer: Signer): Promise<Drawing> {
  const apt = await drawApt(ledger, texts);
  const rpm = await drawRpm(ledger, texts);
  const [inRelease, releaseSignature, repomdSignature] = await Promise.all([
    signer.clearSign(apt.release),
    signer.detachedSignature(apt.release),
    signer.detachedSignature(rpm.repomd, secondsLeft(ledger)),
  ]);
  const dists = aptFolder(ledger.channel);
  return {
    lasting: new Map([...apt.lasting, ...rpm.lasting]),
    pointers: [
      ...keyFiles(ledger),
      ...apt.plain,
      [`${dists}/InRelease`, inRelease],
      [`${dists}/Release.gpg`, releaseSignature],
      [`${dists}/Release`, apt.release],
      ...setupFiles(ledger),
    ],
    together: {
      folder: `${rpmFolder(ledger.channel)}/repodata`,
      files: [
        ["repomd.xml.key", Buffer.from(rpmKeys(ledger))],
        ["repomd.xml.asc", Buffer.from(repomdSignature)],
        ["repomd.xml", Buffer.from(rpm.repomd)],
      ],
    },
  };
}

/** How long the signature of repomd.xml is good; GnuPG would take 0 for ever. */
function secondsLeft({ time, settings }: Ledger): number {
  return Math.max(1, time + settings.validDays * daySeconds - Math.floor(Date.now() / 1000));
}

function keyFiles(ledger: Ledger): Drawing["pointers"] {
  return [[`${aptFolder(ledger.channel)}/kgraft.asc`, aptKeys(ledger)]];
}

/** What apt is offered: the keys that sign now. */
export function aptKeys({ keys }: Ledger): string {
  return keysOf(signingKeys(keys));
}

/** Packages of rpm are signed themselves: old ones with a key that signs nothing else any more. */
export function rpmKeys({ keys }: Ledger): string {
  return keysOf(keys);
}

/** What machines learn keys from, none of it signed itself: by path, as it has to be. */
export function trustFiles(ledger: Ledger): Drawing["pointers"] {
  const repomdKey = `${rpmFolder(ledger.channel)}/repodata/repomd.xml.key`;
  return [...keyFiles(ledger), ...setupFiles(ledger), [repomdKey, rpmKeys(ledger)]];
}

/** What an administrator copies onto a machine, where it is known under which address machines find all this. */
function setupFiles(ledger: Ledger): Drawing["pointers"] {
  const { channel } = ledger;
  const { url, origin, onRequest = false } = ledger.settings;
  if (url === undefined) return [];
  const facts = { url, channel, origin, onRequest };
  return [
    [`${aptFolder(channel)}/kgraft.sources`, aptSetup(facts, { armored: aptKeys(ledger) })],
    [`${rpmFolder(channel)}/kgraft.repo`, rpmSetup(facts)],
  ];
}

function keysOf(keys: Ledger["keys"]): string {
  return keys.map(({ armored }) => armored).join("");
}

interface AptDrawing {
  readonly release: string;
  readonly lasting: readonly (readonly [string, Buffer])[];
  /** Indexes under their plain names, for readers that know no by-hash. */
  readonly plain: readonly (readonly [string, Buffer])[];
}

async function drawApt({ channel, time, settings, groups }: Ledger, texts: Texts): Promise<AptDrawing> {
  const indexes = new Map<string, IndexFile>();
  for (const architecture of debArchitectures(groups)) {
    const blocks = [...(groups[`deb-${architecture}`] ?? []), ...(groups["deb-all"] ?? [])];
    indexes.set(architecture, await joinBlocks(blocks, "Packages", debKind, texts));
  }
  const { origin, validDays, onRequest = false } = settings;
  return {
    release: releaseText({ origin, channel, time, validDays, onRequest, indexes }),
    lasting: [...indexes].map(([architecture, { sha256, compressed }]) => [
      `${aptFolder(channel)}/${indexFolder(architecture)}/by-hash/SHA256/${sha256}`,
      compressed,
    ]),
    plain: [...indexes].map(([architecture, { compressed }]) => [
      `${aptFolder(channel)}/${indexFolder(architecture)}/Packages.xz`,
      compressed,
    ]),
  };
}

/** Packages for all architectures stand in the index of each; where there is no other, in amd64's. */
export function debArchitectures(groups: Ledger["groups"]): readonly string[] {
  const names = Object.keys(groups).flatMap((name) => (name.startsWith("deb-") ? [name.slice(4)] : []));
  const own = names.filter((name) => name !== "all").toSorted((a, b) => a.localeCompare(b));
  return own.length > 0 ? own : ["amd64"];
}

interface RpmDrawing {
  readonly repomd: string;
  readonly lasting: readonly (readonly [string, Buffer])[];
}

async function drawRpm(ledger: Ledger, texts: Texts): Promise<RpmDrawing> {
  const { channel, revision, time, settings, keys, groups } = ledger;
  const blocks = groups["rpm"] ?? [];
  const packages = blocks.reduce((sum, { members }) => sum + members.length, 0);
  const indexes = new Map<string, IndexFile>();
  for (const part of rpmKind.parts) {
    const around = { head: rpmHeads[part]?.(packages) ?? "", tail: rpmTails[part] ?? "" };
    indexes.set(part, await joinBlocks(blocks, part, rpmKind, texts, around));
  }
  const around = { head: updateinfoHead, tail: updateinfoTail };
  indexes.set(
    "updateinfo",
    await joinBlocks(groups["updateinfo"] ?? [], "updateinfo", updateinfoKind, texts, around),
  );
  const expiry = { head: suseinfoText(settings.validDays * daySeconds), tail: "" };
  indexes.set("suseinfo", await joinBlocks([], "suseinfo", updateinfoKind, texts, expiry));
  const folder = rpmFolder(channel);
  return {
    repomd: repomdText({ revision, time, keys, indexes }),
    lasting: [
      ...[...indexes].map(
        ([type, index]) => [`${folder}/repodata/${indexName(type, index)}`, index.compressed] as const,
      ),
      ...keys.map((key) => [`${folder}/${keyFile(key)}`, Buffer.from(key.armored)] as const),
    ],
  };
}

/** Writes what the store has not yet. @returns the paths of all lasting files */
export async function writeLastingFiles(store: Store, { lasting }: Drawing): Promise<readonly string[]> {
  for (const [path, bytes] of lasting) {
    if (!(await store.has(path))) await store.writeLasting(path, bytes);
  }
  return [...lasting.keys()];
}

export async function writePointers(store: Store, { pointers, together }: Drawing): Promise<void> {
  for (const [path, content] of pointers) await store.writePointer(path, Buffer.from(content));
  await store.writeTogether(together.folder, together.files);
}
