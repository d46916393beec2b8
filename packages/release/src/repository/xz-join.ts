/**
 * Several .xz files of one block each, as one .xz file of several blocks, without compressing anything again.
 *
 * This is what makes publishing cheap: an index of five thousand packages is a row of blocks that were compressed
 * when they were written, and one at its end that is new. Simply putting .xz files one after the other is allowed by
 * the format, but apt reads only the first of them (2.6.2; other decoders take all). Within one stream there may be
 * any number of blocks, and every decoder takes those: so the streams' headers and ends are cut off, and one header,
 * one index and one end are written around the blocks.
 *
 * Source: The .xz File Format, version 1.2.1 (https://tukaani.org/xz/xz-file-format.txt), sections 2.1, 3, 4, 1.2.
 */
import { crc32 } from "node:zlib";
import { RepositoryUnfit } from "./errors.ts";

const headerBytes = 12;
const footerBytes = 12;
const headMagic: Buffer = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const footMagic: Buffer = Buffer.from("YZ");

/** What stands in a stream's index of one of its blocks. */
interface BlockRecord {
  /** Size of the block without the padding at its end. */
  readonly unpaddedBytes: number;
  readonly uncompressedBytes: number;
}

/** @throws RepositoryUnfit where one is no .xz stream of at least one block, or they differ in their kind of check */
export function joinXz(streams: readonly Uint8Array[]): Buffer {
  const parts = streams.map(readStream);
  const flags = parts[0]?.flags ?? Buffer.from([0, 4]);
  const odd = parts.find((one) => !one.flags.equals(flags));
  if (odd !== undefined) throw bad("stream flags", odd.flags.toString("hex"), flags.toString("hex"));
  const index = encodeIndex(parts.flatMap(({ records }) => records));
  return Buffer.concat([
    headMagic,
    flags,
    uint32(crc32(flags)),
    ...parts.map(({ blocks }) => blocks),
    index,
    footer(index.length, flags),
  ]);
}

interface StreamParts {
  readonly flags: Buffer;
  readonly blocks: Buffer;
  readonly records: readonly BlockRecord[];
}

function readStream(bytes: Uint8Array): StreamParts {
  const stream = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (stream.length < headerBytes + footerBytes + 8)
    throw bad("size", `${stream.length} bytes`, "at least 32");
  if (!stream.subarray(0, 6).equals(headMagic))
    throw bad("magic", stream.toString("hex", 0, 6), headMagic.toString("hex"));
  const foot = stream.subarray(-footerBytes);
  if (!foot.subarray(-2).equals(footMagic))
    throw bad("end mark", foot.toString("hex", 10), footMagic.toString("hex"));
  if (foot.readUInt32LE(0) !== crc32(foot.subarray(4, 10)))
    throw bad("checksum of the end", "another", "its own");
  const indexBytes = (foot.readUInt32LE(4) + 1) * 4;
  const indexAt = stream.length - footerBytes - indexBytes;
  if (indexAt < headerBytes) throw bad("index size", String(indexBytes), `at most ${stream.length - 24}`);
  const records = readIndex(stream.subarray(indexAt, indexAt + indexBytes));
  const blockBytes = records.reduce((sum, { unpaddedBytes }) => sum + Math.ceil(unpaddedBytes / 4) * 4, 0);
  if (blockBytes !== indexAt - headerBytes)
    throw bad("blocks", `${indexAt - headerBytes} bytes`, String(blockBytes));
  return {
    flags: stream.subarray(6, 8),
    blocks: stream.subarray(headerBytes, indexAt),
    records,
  };
}

function readIndex(index: Buffer): readonly BlockRecord[] {
  if (index[0] !== 0) throw bad("index", `byte ${index[0]} at its start`, "0");
  if (index.readUInt32LE(index.length - 4) !== crc32(index.subarray(0, -4))) {
    throw bad("checksum of the index", "another", "its own");
  }
  let at = 1;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = index[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw bad("number in the index", "more than 49 bits", "at most 49 bits");
  };
  const count = next();
  if (count < 1 || count > index.length) throw bad("number of blocks", String(count), "at least 1");
  return Array.from({ length: count }, () => ({ unpaddedBytes: next(), uncompressedBytes: next() }));
}

function encodeIndex(records: readonly BlockRecord[]): Buffer {
  const bytes = [0, ...encodeNumber(records.length)];
  for (const { unpaddedBytes, uncompressedBytes } of records) {
    bytes.push(...encodeNumber(unpaddedBytes), ...encodeNumber(uncompressedBytes));
  }
  while (bytes.length % 4 !== 0) bytes.push(0);
  const index = Buffer.from(bytes);
  return Buffer.concat([index, uint32(crc32(index))]);
}

function encodeNumber(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

function footer(indexBytes: number, flags: Buffer): Buffer {
  const body = Buffer.concat([uint32(indexBytes / 4 - 1), flags]);
  return Buffer.concat([uint32(crc32(body)), body, footMagic]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function bad(field: string, found: string, wanted: string): RepositoryUnfit {
  return new RepositoryUnfit(
    `cannot join .xz blocks: ${field} is ${found}, wanted ${wanted}`,
    "the repository's own files under kgraft/ are damaged: bring them back from a copy",
  );
}
