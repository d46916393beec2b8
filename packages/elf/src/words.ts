/** Bytes as 32-bit words of this machine's order, as many as are whole; for loops over megabytes. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  // A copy where they do not lie as words do. (Not slice(): that of a Buffer copies nothing.)
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(buffer, byteOffset, Math.floor(byteLength / 4));
}
