/**
 * Reads a tar stream member by member, without unpacking anything.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar's manual for the types
 * `L` and `K` (long names), which Debian's source packages use.
 */
import { BadInput } from "./errors.ts";

export interface TarMember {
  readonly path: string;
  readonly kind: "file" | "link" | "other";
  /** The file's bytes, or the link's target. */
  readonly content: Buffer;
}

const blockBytes = 512;
const maxMemberBytes = 1024 ** 3;

/** Throws BadInput for what is no tar, or ends early. */
export async function* readTar(stream: AsyncIterable<Buffer>, name: string): AsyncGenerator<TarMember> {
  const reader = new ChunkReader(stream, name);
  let longPath: string | undefined;
  let longTarget: string | undefined;
  for (;;) {
    const header = await reader.take(blockBytes);
    if (header === undefined) throw bad(name, "an end without end mark", "two zero blocks");
    if (header.every((byte) => byte === 0)) return;
    checkSum(header, name);
    const sizeBytes = octal(header, 124, 12, name);
    if (sizeBytes > maxMemberBytes)
      throw bad(name, `a member of ${sizeBytes} bytes`, `at most ${maxMemberBytes}`);
    const type = String.fromCharCode(header[156]!);
    const content = (await reader.take(sizeBytes)) ?? Buffer.alloc(0);
    await reader.take((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
    if (type === "L") longPath = text(content, 0, content.length);
    else if (type === "K") longTarget = text(content, 0, content.length);
    else if (type === "x") {
      const records = paxRecords(content.toString("utf8"));
      longPath = records.get("path") ?? longPath;
      longTarget = records.get("linkpath") ?? longTarget;
    } else if (type !== "g") {
      const path = longPath ?? ustarPath(header);
      const target = longTarget ?? text(header, 157, 100);
      longPath = longTarget = undefined;
      if (type === "0" || type === "\0") yield { path, kind: "file", content };
      else if (type === "1" || type === "2") yield { path, kind: "link", content: Buffer.from(target) };
      else yield { path, kind: "other", content };
    }
  }
}

function ustarPath(header: Buffer): string {
  const prefix = text(header, 257, 5) === "ustar" && header[262] === 0 ? text(header, 345, 155) : "";
  const path = text(header, 0, 100);
  return prefix === "" ? path : `${prefix}/${path}`;
}

/** "LENGTH KEY=VALUE\n", LENGTH in bytes of the whole record. */
function paxRecords(content: string): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (const line of content.split("\n")) {
    const match = /^\d+ ([^=]+)=(.*)$/.exec(line);
    if (match !== null) records.set(match[1]!, match[2]!);
  }
  return records;
}

function checkSum(header: Buffer, name: string): void {
  let sum = 8 * 32; // the checksum's own field counts as spaces
  for (let at = 0; at < blockBytes; at++) if (at < 148 || at >= 156) sum += header[at]!;
  const stored = octal(header, 148, 8, name);
  if (stored !== sum) throw bad(name, `header checksum ${stored}`, String(sum));
}

function octal(header: Buffer, at: number, length: number, name: string): number {
  const digits = text(header, at, length).trim();
  if (!/^[0-7]+$/.test(digits)) throw bad(name, `number ${JSON.stringify(digits)}`, "octal digits");
  return Number.parseInt(digits, 8);
}

function text(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString("utf8", at, end < 0 || end > at + length ? at + length : end);
}

function bad(name: string, found: string, wanted: string): BadInput {
  return new BadInput(`read tar ${name}`, found, wanted);
}

/** Cuts a stream of chunks into pieces of the lengths asked for. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #name: string;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>, name: string) {
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** Exactly `length` bytes; undefined at the clean end of the stream. */
  async take(length: number): Promise<Buffer | undefined> {
    if (length <= this.#rest.length) return this.#cut(length);
    const parts = [this.#rest];
    let have = this.#rest.length;
    while (have < length) {
      const next = await this.#chunks.next();
      if (next.done === true) {
        if (have === 0) return undefined;
        throw bad(this.#name, `an end after ${have} bytes of a piece`, `${length} bytes`);
      }
      parts.push(next.value);
      have += next.value.length;
    }
    this.#rest = Buffer.concat(parts, have);
    return this.#cut(length);
  }

  #cut(length: number): Buffer {
    const piece = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return piece;
  }
}
