/**
 * Whether a channel of a repository is what a client would take: signed by the trusted keys, not expired, and each
 * file what the signed words say of it, down to the packages. It looks on the repository from outside, as apt and dnf
 * do, and from inside, by the ledger. All that is wrong is collected.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { execa } from "execa";
import { type SignedData, verifySigned } from "../keys/verify.ts";
import { feedFiles, feedIndex, readAdvisory } from "./advisories.ts";
import { dateText } from "./apt-index.ts";
import { sha256 } from "./blocks.ts";
import { aptFolder, rpmFolder, trustFiles } from "./draw.ts";
import type { Ledger } from "./ledger.ts";
import { filesOf } from "./lifecycle.ts";
import { openRpmKeyring, type RpmKeyring } from "./rpm-keyring.ts";
import { finishedPath, readState } from "./state.ts";
import type { Store } from "./store.ts";

export interface CheckRequest {
  readonly store: Store;
  readonly channel: string;
  /** Armored public keys; the repository's own are no proof of anything. */
  readonly trusted: readonly string[];
  /** Seconds since 1970; default: now. */
  readonly time?: number;
  readonly signal: AbortSignal;
}

export interface Finding {
  /** The file, from the repository's root. */
  readonly file: string;
  readonly message: string;
}

export interface CheckReport {
  readonly channel: string;
  readonly findings: readonly Finding[];
  /** Packages whose files were read. */
  readonly packages: number;
  /** Seconds since 1970; undefined where the Release text cannot be trusted. */
  readonly validUntil: number | undefined;
}

const indexLimitBytes = 256 << 20;
/** How far a clock may be behind the publisher's; apt's own default (Acquire::Max-FutureTime). */
const futureSeconds = 10;

/** What an index says of a file. */
interface Listed {
  readonly path: string;
  readonly sha256: string;
  /** A package that carries a signature of its own. */
  readonly isRpm?: boolean;
}

/** How many .rpm packages rpm is asked about at once; that many are in memory. */
const askTogether = 16;

export async function checkRepository(request: CheckRequest): Promise<CheckReport> {
  const findings: Finding[] = [];
  const looker = new Looker(request, findings);
  // 1. What the publisher remembers.
  const ledger = await looker.ledger();
  // 2. What apt sees, and what an rpm client sees.
  const release = await looker.release(ledger);
  const listed = [...(await looker.packagesOfApt(release)), ...(await looker.packagesOfRpm(ledger))];
  // 3. Each package, once; of an rpm also the signature in it.
  const files = new Map(listed.map((one) => [one.path, one]));
  await looker.files([...files.values()], ledger);
  for (const { path, sha256: hash } of ledger?.packages ?? []) {
    const there = files.get(path);
    if (there === undefined) looker.say(path, "the ledger has it, and no index does");
    else if (there.sha256 !== hash)
      looker.say(path, `the index says its hash is ${there.sha256}, the ledger ${hash}`);
  }
  // 4. What is not signed itself, and readers believe: keys, each kernel's end, advisories and their feeds.
  if (ledger !== undefined) await looker.plainFiles(ledger);
  return { channel: request.channel, findings, packages: files.size, validUntil: release?.validUntil };
}

interface ReleaseFacts {
  readonly indexes: readonly Listed[];
  readonly validUntil: number;
}

class Looker {
  readonly #request: CheckRequest;
  readonly #findings: Finding[];
  readonly #time: number;

  constructor(request: CheckRequest, findings: Finding[]) {
    this.#request = request;
    this.#findings = findings;
    this.#time = request.time ?? Date.now() / 1000;
  }

  say(file: string, message: string): void {
    this.#findings.push({ file, message });
  }

  async ledger(): Promise<Ledger | undefined> {
    const { store, channel, trusted, signal } = this.#request;
    const file = `kgraft/${channel}/ledger.asc`;
    try {
      const { ledger, finishedTime } = await readState(store, channel, trusted, signal);
      if (ledger === undefined) this.say(file, "it is not there: nothing was published to this channel");
      else if (finishedTime < ledger.time) {
        this.say(file, "a publication was interrupted: finish it with kgraft publish and no package");
      }
      return ledger;
    } catch (error) {
      return this.#take(file, error);
    }
  }

  async release(ledger: Ledger | undefined): Promise<ReleaseFacts | undefined> {
    const folder = aptFolder(this.#request.channel);
    const signed = await this.#verified(`${folder}/InRelease`);
    if (signed === undefined) return undefined;
    const text = signed.toString("utf8");
    const plain = await this.#read(`${folder}/Release`);
    if (plain !== undefined) {
      await this.#verified(`${folder}/Release`, `${folder}/Release.gpg`);
      if (plain.toString("utf8").trim() !== text.trim())
        this.say(`${folder}/Release`, "it says something else than InRelease");
    }
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? "";
    const [date, validUntil] = [field("Date"), field("Valid-Until")].map((one) => Date.parse(one) / 1000) as [
      number,
      number,
    ];
    const file = `${folder}/InRelease`;
    if (!(date <= this.#time + futureSeconds))
      this.say(file, `its Date is ${field("Date") || "missing"}, which is in the future`);
    if (!(validUntil > this.#time)) {
      this.say(
        file,
        `it expired: Valid-Until is ${field("Valid-Until") || "missing"}; publish again, with no package if there is none`,
      );
    }
    if (ledger !== undefined && field("Date") !== dateText(ledger.time)) {
      this.say(
        file,
        `it is not of the last publication: Date is ${field("Date")}, wanted ${dateText(ledger.time)}`,
      );
    }
    if (field("Suite") !== this.#request.channel)
      this.say(file, `it is of suite ${field("Suite")}, wanted ${this.#request.channel}`);
    const indexes = [...text.matchAll(/^ ([0-9a-f]{64}) +\d+ (\S+\/Packages\.xz)$/gm)].map(
      ([, hash = "", path = ""]) => ({ path: `${folder}/${path}`, sha256: hash }),
    );
    return { indexes, validUntil };
  }

  async packagesOfApt(release: ReleaseFacts | undefined): Promise<readonly Listed[]> {
    const found: Listed[] = [];
    for (const { path, sha256: hash } of release?.indexes ?? []) {
      await this.file({ path, sha256: hash });
      const byHash = path.replace(/Packages\.xz$/, `by-hash/SHA256/${hash}`);
      const packed = await this.file({ path: byHash, sha256: hash });
      if (packed === undefined) continue;
      const listing = await execa("xz", ["--decompress", "--stdout"], {
        input: packed,
        maxBuffer: indexLimitBytes,
        reject: false,
      });
      if (listing.exitCode !== 0) this.say(byHash, "it cannot be unpacked by xz");
      for (const stanza of listing.stdout.split("\n\n")) {
        const [name = "", sha = ""] = [/^Filename: (.+)$/m, /^SHA256: ([0-9a-f]{64})$/m].map(
          (form) => form.exec(stanza)?.[1] ?? "",
        );
        if (name !== "") found.push({ path: name, sha256: sha });
      }
    }
    return found;
  }

  async packagesOfRpm(ledger: Ledger | undefined): Promise<readonly Listed[]> {
    const folder = rpmFolder(this.#request.channel);
    const repomd = await this.#verified(`${folder}/repodata/repomd.xml`, `${folder}/repodata/repomd.xml.asc`);
    if (repomd === undefined) return [];
    const text = repomd.toString("utf8");
    const revision = Number(/<revision>(\d+)</.exec(text)?.[1]);
    if (ledger !== undefined && revision !== ledger.time) {
      this.say(
        `${folder}/repodata/repomd.xml`,
        `it is not of the last publication: revision is ${revision}, wanted ${ledger.time}`,
      );
    }
    let primary = "";
    for (const [, type, data = ""] of text.matchAll(/<data type="(\w+)">([\s\S]*?)<\/data>/g)) {
      const path = `${folder}/${/<location href="([^"]+)"/.exec(data)?.[1] ?? ""}`;
      const hash = /<checksum type="sha256">([0-9a-f]{64})</.exec(data)?.[1] ?? "";
      const packed = await this.file({ path, sha256: hash });
      if (packed !== undefined && type === "primary")
        primary = gunzipSync(packed, { maxOutputLength: indexLimitBytes }).toString("utf8");
    }
    return [...primary.matchAll(/pkgid="YES">([0-9a-f]{64})<[\s\S]*?<location href="([^"]+)"/g)].map(
      ([, hash = "", href = ""]) => ({ path: `${folder}/${href}`, sha256: hash, isRpm: true }),
    );
  }

  /** Packages: what the indexes say of them, and what rpm says with the repository's keys, retired ones among them. */
  async files(listed: readonly Listed[], ledger: Ledger | undefined): Promise<void> {
    const { trusted, signal } = this.#request;
    const keys = ledger?.keys.map(({ armored }) => armored) ?? trusted;
    await using keyring = await openRpmKeyring(keys, signal);
    for (let at = 0; at < listed.length; at += askTogether) {
      const paths = new Map<string, string>();
      for (const [place, one] of listed.slice(at, at + askTogether).entries()) {
        const bytes = await this.file(one);
        if (bytes === undefined || one.isRpm !== true) continue;
        const copy = join(keyring.directory, `${place}.rpm`);
        await writeFile(copy, bytes);
        paths.set(copy, one.path);
      }
      await this.#signatures(paths, keyring);
    }
  }

  async #signatures(paths: ReadonlyMap<string, string>, keyring: RpmKeyring): Promise<void> {
    const faults = await keyring.faults([...paths.keys()]);
    for (const [copy, path] of paths) {
      const fault = faults.get(copy);
      if (fault !== undefined) this.say(path, `${fault}, so rpm would refuse it`);
    }
  }

  /** A file that must have this hash; undefined where it has not, or is not there. */
  async file({ path, sha256: hash }: Listed): Promise<Buffer | undefined> {
    const bytes = await this.#read(path);
    if (bytes === undefined) return undefined;
    const found = sha256(bytes);
    if (found === hash) return bytes;
    this.say(path, `its hash is ${found}, wanted ${hash}: it was damaged or tampered with`);
    return undefined;
  }

  async #verified(path: string, signature?: string): Promise<Buffer | undefined> {
    const { store, trusted, signal } = this.#request;
    const data = await this.#read(path);
    const detached = signature === undefined ? undefined : await this.#read(signature);
    if (data === undefined || (signature !== undefined && detached === undefined)) return undefined;
    const signed: SignedData = {
      name: `${store.name}/${path}`,
      data,
      ...(detached !== undefined && { detached }),
    };
    try {
      return (await verifySigned(signed, trusted, signal)).content;
    } catch (error) {
      return this.#take(path, error);
    }
  }

  async plainFiles(ledger: Ledger): Promise<void> {
    const { channel, lifecycle } = ledger;
    await this.#plain(channel, [...trustFiles(ledger), ...filesOf(channel, lifecycle), feedIndex(ledger)]);
    for (const record of ledger.advisories) {
      try {
        const advisory = await readAdvisory(this.#request.store, channel, record);
        await this.#plain(channel, feedFiles(advisory, channel, ledger.settings.origin));
      } catch (error) {
        this.#take(record.id, error);
      }
    }
  }

  async #plain(
    channel: string,
    files: readonly (readonly [path: string, text: string | Buffer])[],
  ): Promise<void> {
    for (const [path, text] of files) {
      const bytes = await this.#read(path);
      if (bytes !== undefined && bytes.toString("utf8") !== text.toString()) {
        this.say(
          path,
          `it says something else than the ledger: remove ${finishedPath(channel)} and publish again, with no package if there is none`,
        );
      }
    }
  }

  async #read(path: string): Promise<Buffer | undefined> {
    const file = await this.#request.store.read(path, indexLimitBytes);
    if (file === undefined) this.say(path, "it is not there");
    return file?.bytes;
  }

  /** What is wrong with the repository is a finding; anything else ends the check. */
  #take(file: string, error: unknown): undefined {
    if (!(error instanceof Error) || error.name !== "RepositoryUnfit") throw error;
    this.say(file, error.message);
    return undefined;
  }
}
