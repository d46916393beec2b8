import { wordsOf } from "./words.ts";

/** Names in a string table, by offset. */
export interface StringTable {
  readonly bytes: Uint8Array;
  /** Where the string that starts at `offset` ends: undefined when it starts outside the table, or has no end there. */
  endOf(offset: number): number | undefined;
  /**
   * The zero-terminated string at `offset`, or undefined when it starts or ends outside the table, or has no end; and
   * where it is one too many of a table whose names overlap.
   */
  at(offset: number): string | undefined;
}

const utf8 = new TextDecoder();
/** The kernel's own names have at most 511 bytes (KSYM_NAME_LEN), and sections are called after them. */
export const MAX_NAME_BYTES = 4095;
/** What is decoded name by name: names may overlap, and together take many times the room of their table. */
const MAX_DECODED_BYTES = 16 << 20;
/** A table of megabytes is decoded once more than so many names are asked for, a small one at once. */
const FEW_NAMES = 64;
const SMALL_BYTES = 65_536;

/**
 * A string table over `data`. Kernel symbol tables hold a hundred thousand names, nearly always ASCII: for who asks for
 * many the whole table is decoded once, offsets of bytes and characters agree, and a name is a slice. A table with
 * other bytes is decoded name by name.
 */
export function stringTable(data: Uint8Array): StringTable {
  let whole: string | false | undefined; // not needed yet; false where it is not ASCII
  let asked = 0;
  let decodedBytes = 0;
  const endOf = (offset: number): number | undefined => {
    if (offset < 0 || offset >= data.length) return undefined;
    // Most names are shorter than what a call of indexOf() costs.
    for (let end = offset; end < offset + 64; end++) if (data[end] === 0) return end;
    const length = data.subarray(offset, offset + MAX_NAME_BYTES + 1).indexOf(0);
    return length < 0 ? undefined : offset + length;
  };
  return {
    bytes: data,
    endOf,
    at(offset) {
      const end = endOf(offset);
      if (end === undefined) return undefined;
      if (whole === undefined && (data.length <= SMALL_BYTES || ++asked > FEW_NAMES))
        whole = isAscii(data) && utf8.decode(data);
      if (typeof whole === "string") return whole.slice(offset, end);
      decodedBytes += end - offset;
      return decodedBytes > MAX_DECODED_BYTES ? undefined : utf8.decode(data.subarray(offset, end));
    },
  };
}

/** A loop, and over whole words, for it goes over megabytes: `every()` takes ten times as long. */
function isAscii(data: Uint8Array): boolean {
  const words = wordsOf(data);
  for (let at = 0; at < words.length; at++) if ((words[at]! & 0x80808080) !== 0) return false; // at < length
  return data.subarray(words.length * 4).every((byte) => byte < 0x80);
}

/** Collects names into the bytes of a string table; equal names share one place. */
export class StringTableBuilder {
  readonly #offsets = new Map<string, number>([["", 0]]);
  readonly #chunks: Uint8Array[] = [new Uint8Array(1)];
  #sizeBytes = 1;

  /** Adds a name and returns its offset. */
  add(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#sizeBytes;
    const bytes = new TextEncoder().encode(`${name}\0`);
    this.#chunks.push(bytes);
    this.#offsets.set(name, offset);
    this.#sizeBytes += bytes.length;
    return offset;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#sizeBytes);
    let offset = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return all;
  }
}
