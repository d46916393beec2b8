/** Symbols by the hashes of their names: one pass over a whole table, so that a name is found without one. */
import { STT_FILE } from "./constants.ts";
import { wordsOf } from "./words.ts";

export interface Chains {
  /** The first symbol of each hash of a name, counted from 1, and for each symbol the next of its hash. */
  readonly first: Int32Array;
  readonly next: Int32Array;
  /** Indices of the symbols that name source files, in order. */
  readonly files: Int32Array;
  /** Symbols that are not sound at first sight, in order: reserved sections, and what is malformed. */
  readonly doubtful: readonly number[];
}

/**
 * Chains of the symbols in `entries`. One tight loop: it goes over megabytes. An entry's name is its first word, its
 * type the lowest four bits of the second and its section the upper half of that, its size the last two.
 */
export function chained(
  entries: Uint8Array,
  nameBytes: Uint8Array,
  { sizeBytes, plainSections }: { readonly sizeBytes: number; readonly plainSections: number },
): Chains {
  const words = wordsOf(entries);
  const names = padded(nameBytes);
  const namesEnd = nameBytes.lastIndexOf(0) + 1;
  const wordsEach = sizeBytes / 4;
  const length = words.length / wordsEach;
  const first = new Int32Array(2 ** Math.ceil(Math.log2(length + 1)));
  const next = new Int32Array(length);
  const files: number[] = [];
  const doubtful: number[] = [];
  const mask = first.length - 1;
  // From the end, so that each hash's symbols are met in order.
  for (let index = length - 1; index >= 0; index--) {
    const word = index * wordsEach;
    const at = words[word]!; // the entry is within the table, as are the other two
    const info = words[word + 1]!;
    if ((info & 0xf) === STT_FILE) files.push(index);
    if (at >= namesEnd || info >>> 16 >= plainSections || words[word + 5]! >= 2 ** 21) doubtful.push(index);
    const slot = (at < namesEnd ? hashAt(names, at) : 0) & mask;
    next[index] = first[slot]!; // a slot is below the length
    first[slot] = index + 1;
  }
  return { first, next, files: Int32Array.from(files.toReversed()), doubtful: doubtful.toReversed() };
}

/** The hash of one name, with the zero byte that ends it. */
export function hashOf(name: Uint8Array): number {
  return hashAt(padded(name), 0);
}

/** So many bytes of a name tell most names apart; and a lying table cannot make each of its symbols take long. */
const HASHED_BYTES = 20;

/**
 * Hash of the name that starts at `at`, word by word. The name must end within the bytes, and HASHED_BYTES must follow
 * its first one.
 */
function hashAt(names: DataView, at: number): number {
  let hash = 0;
  for (const end = at + HASHED_BYTES; at < end; at += 4) {
    const word = names.getInt32(at, true);
    // The lowest set bit is the top one of the first byte that is zero.
    // Source: A. Mycroft's test for a zero byte; Warren, Hacker's Delight, "Find First 0-Byte".
    const zero = (word - 0x0101_0101) & ~word & 0x8080_8080;
    const kept = zero === 0 ? word : word & (((zero & -zero) - 1) >>> 7);
    hash = Math.imul(hash ^ kept ^ (hash >>> 15), 0x9e37_79b1);
    if (zero !== 0) break;
  }
  return hash ^ (hash >>> 15);
}

/** The bytes of a table of names, and zeroes in which each name ends. */
function padded(names: Uint8Array): DataView {
  const bytes = new Uint8Array(names.length + HASHED_BYTES);
  bytes.set(names);
  return new DataView(bytes.buffer);
}
