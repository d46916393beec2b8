/**
 * Where an ELF file's bytes come from. A kernel image with its debug sections has 600 MB, of which a question
 * needs a few; so readers ask for ranges. The room stays pure: whoever calls brings the reading.
 */
export interface ByteSource {
  /** What to call it in messages, such as `mballoc.o`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** The bytes at `offset`; both numbers are within the size, the reader has checked them. */
  read(offset: number, length: number): Uint8Array;
}

/** A source over bytes that are in memory already. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    sizeBytes: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}
