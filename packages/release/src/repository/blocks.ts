/**
 * Indexes are cut into blocks, so that one more package costs one block, not the whole index. A block is compressed
 * when it is written and lies under its hash; an index is the blocks' compressed bytes in a row. Packages join the
 * last block until it is full. One that leaves takes only its own block apart.
 */
import { execa } from "execa";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { RepositoryUnfit, ToolFailed } from "./errors.ts";
import type { Block } from "./ledger.ts";
import type { Store } from "./store.ts";
import { joinXz } from "./xz-join.ts";

/** Entries of one block: enough for the compressor to see what they have in common, few enough to be cheap. */
const fullBlock = 128;

/** Blocks of an index that are read at once: in a bucket each costs a request. */
const readTogether = 16;

export type Compression = "xz" | "gz";

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Texts that lie in the store under their hash, each with its compressed form beside it. */
export interface Texts {
  readonly read: (hash: string) => Promise<Buffer>;
  readonly readCompressed: (hash: string, compression: Compression) => Promise<Buffer>;
  /** @returns the hash */
  readonly write: (text: string, compression: Compression) => Promise<string>;
  /** Hashes of all that was written. */
  readonly written: ReadonlySet<string>;
}

export function textsIn(store: Store, folder: string, signal: AbortSignal): Texts {
  const written = new Map<string, Readonly<Record<string, Buffer>>>();
  const read = async (name: string): Promise<Buffer> => {
    const found = await store.read(`${folder}/${name}`);
    if (found !== undefined) return found.bytes;
    throw new RepositoryUnfit(
      `cannot read ${store.name}/${folder}/${name}: it is not there, and the ledger names it`,
      "bring the repository's folder kgraft/ back from a copy",
    );
  };
  return {
    written: { has: (hash: string) => written.has(hash) } as ReadonlySet<string>,
    async read(hash) {
      const own = written.get(hash)?.["text"];
      if (own !== undefined) return own;
      const bytes = await read(hash);
      if (sha256(bytes) === hash) return bytes;
      throw new RepositoryUnfit(
        `cannot read ${store.name}/${folder}/${hash}: its hash is ${sha256(bytes)}, wanted its name`,
        "it was damaged or tampered with: bring it back from a copy",
      );
    },
    async readCompressed(hash, compression) {
      return written.get(hash)?.[compression] ?? read(`${hash}.${compression}`);
    },
    async write(text, compression) {
      const bytes = Buffer.from(text);
      const hash = sha256(bytes);
      if (written.has(hash)) return hash;
      const compressed = await compress(bytes, compression, signal);
      written.set(hash, { text: bytes, [compression]: compressed });
      await store.writeLasting(`${folder}/${hash}.${compression}`, compressed);
      await store.writeLasting(`${folder}/${hash}`, bytes);
      return hash;
    },
  };
}

/** Where `texts` lie, all names of one of them. */
export function filesOfText(folder: string, hash: string, compression: Compression): readonly string[] {
  return [`${folder}/${hash}`, `${folder}/${hash}.${compression}`];
}

/** One entry of an index: a text for each part of the group. */
export interface Entry {
  readonly member: string;
  readonly texts: Readonly<Record<string, string>>;
}

export interface Edit {
  readonly remove: ReadonlySet<string>;
  readonly add: readonly Entry[];
}

/** How a part's text is cut into its entries again; each entry keeps what it ends with. */
export type Cut = (text: string) => readonly string[];

export interface GroupKind {
  readonly parts: readonly string[];
  readonly cut: Cut;
  readonly compression: Compression;
}

/** The blocks after an edit. Only what changes is read and written. @throws RepositoryUnfit */
export async function editBlocks(
  blocks: readonly Block[],
  { remove, add }: Edit,
  kind: GroupKind,
  texts: Texts,
): Promise<readonly Block[]> {
  const after: Block[] = [];
  for (const block of blocks) {
    if (!block.members.some((member) => remove.has(member))) after.push(block);
    else {
      const kept = (await entriesOf(block, kind, texts)).filter(({ member }) => !remove.has(member));
      if (kept.length > 0) after.push(await writeBlock(kept, kind, texts));
    }
  }
  let rest = add;
  const last = after.at(-1);
  if (rest.length > 0 && last !== undefined && last.members.length < fullBlock) {
    const room = fullBlock - last.members.length;
    const joined = [...(await entriesOf(last, kind, texts)), ...rest.slice(0, room)];
    after[after.length - 1] = await writeBlock(joined, kind, texts);
    rest = rest.slice(room);
  }
  for (; rest.length > 0; rest = rest.slice(fullBlock)) {
    after.push(await writeBlock(rest.slice(0, fullBlock), kind, texts));
  }
  return after;
}

async function entriesOf(block: Block, kind: GroupKind, texts: Texts): Promise<readonly Entry[]> {
  const cuts = new Map<string, readonly string[]>();
  for (const part of kind.parts) {
    const hash = block.parts[part] ?? "";
    const entries = kind.cut((await texts.read(hash)).toString("utf8"));
    if (entries.length !== block.members.length) {
      throw new RepositoryUnfit(
        `cannot read block ${hash}: it has ${entries.length} entries, wanted ${block.members.length}`,
        "bring the repository's folder kgraft/ back from a copy",
      );
    }
    cuts.set(part, entries);
  }
  return block.members.map((member, at) => ({
    member,
    texts: Object.fromEntries(kind.parts.map((part) => [part, cuts.get(part)![at]!])), // as many as members
  }));
}

async function writeBlock(entries: readonly Entry[], kind: GroupKind, texts: Texts): Promise<Block> {
  const parts: Record<string, string> = {};
  for (const part of kind.parts) {
    const text = entries.map((entry) => entry.texts[part] ?? "").join("");
    parts[part] = await texts.write(text, kind.compression);
  }
  return { members: entries.map(({ member }) => member), parts };
}

/** A whole index file, plain only by its hash and size: clients ask for the compressed one. */
export interface IndexFile {
  readonly compressed: Buffer;
  readonly sha256: string;
  readonly plainSha256: string;
  readonly plainBytes: number;
}

/** One part of some blocks as one file, between a head and a tail. */
export async function joinBlocks(
  blocks: readonly Block[],
  part: string,
  kind: GroupKind,
  texts: Texts,
  around: { readonly head: string; readonly tail: string } = { head: "", tail: "" },
): Promise<IndexFile> {
  const plain = createHash("sha256").update(around.head);
  let plainBytes = Buffer.byteLength(around.head) + Buffer.byteLength(around.tail);
  const pieces: Buffer[] = [];
  if (around.head !== "") pieces.push(await gzipped(around.head));
  for (let at = 0; at < blocks.length; at += readTogether) {
    const read = blocks.slice(at, at + readTogether).map(async ({ parts }) => {
      const hash = parts[part] ?? "";
      return Promise.all([texts.read(hash), texts.readCompressed(hash, kind.compression)]);
    });
    for (const [text, compressed] of await Promise.all(read)) {
      plain.update(text);
      plainBytes += text.length;
      pieces.push(compressed);
    }
  }
  if (around.tail !== "") {
    plain.update(around.tail);
    pieces.push(await gzipped(around.tail));
  }
  const compressed = kind.compression === "xz" ? joinXz(pieces) : Buffer.concat(pieces);
  return { compressed, sha256: sha256(compressed), plainSha256: plain.digest("hex"), plainBytes };
}

const gzipAsync = promisify(gzip);

async function gzipped(data: string | Uint8Array): Promise<Buffer> {
  return gzipAsync(data, { level: 9 });
}

async function compress(bytes: Buffer, compression: Compression, signal: AbortSignal): Promise<Buffer> {
  if (compression === "gz") return gzipped(bytes);
  const result = await execa("xz", ["--compress", "--stdout", "--check=crc64", "--threads=1"], {
    input: bytes,
    encoding: "buffer",
    stripFinalNewline: false,
    reject: false,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  if (result.exitCode === 0) return Buffer.from(result.stdout);
  throw new ToolFailed(
    `cannot run xz: exit status is ${result.exitCode ?? "a signal"}, wanted 0`,
    "see that xz-utils is installed: kgraft doctor",
  );
}
