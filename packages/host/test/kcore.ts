/** /proc/kcore written by code: an ELF core file with the header fields that are read, and these pieces of memory. */
export function kcoreFile(
  pieces: readonly { readonly address: bigint; readonly bytes: Uint8Array }[],
  machine = 62,
): Uint8Array {
  const table = 64 + 56 * (pieces.length + 1);
  const length = pieces.reduce((sum, { bytes }) => sum + bytes.length, table);
  const file = Buffer.alloc(length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(4, 16); // core
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(pieces.length + 1, 56);
  file.writeUInt32LE(4, 64); // PT_NOTE, as the kernel has it first
  let at = table;
  for (const [index, { address, bytes }] of pieces.entries()) {
    const header = 64 + 56 * (index + 1);
    file.writeUInt32LE(1, header);
    file.writeBigUInt64LE(BigInt(at), header + 8);
    file.writeBigUInt64LE(BigInt.asUintN(64, address), header + 16);
    file.writeBigUInt64LE(BigInt(bytes.length), header + 32);
    file.set(bytes, at);
    at += bytes.length;
  }
  return new Uint8Array(file);
}
