/** A module file written by code: an ELF64 relocatable file with nothing but a .modinfo section. */
export function moduleFile(modinfo: readonly string[]): Uint8Array {
  const names = Buffer.from("\0.modinfo\0.shstrtab\0");
  const info = Buffer.from(modinfo.map((line) => `${line}\0`).join(""));
  const table = 64 + info.length + names.length;
  const bytes = Buffer.alloc(table + 3 * 64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(1, 16); // relocatable
  bytes.writeUInt16LE(62, 18); // x86-64
  bytes.writeBigUInt64LE(BigInt(table), 40);
  bytes.writeUInt16LE(64, 58);
  bytes.writeUInt16LE(3, 60);
  bytes.writeUInt16LE(2, 62);
  bytes.set(info, 64);
  bytes.set(names, 64 + info.length);
  writeSection(bytes, table + 64, 1, 64, info.length);
  writeSection(bytes, table + 128, 10, 64 + info.length, names.length);
  return new Uint8Array(bytes);
}

function writeSection(bytes: Buffer, at: number, name: number, offset: number, sizeBytes: number): void {
  bytes.writeUInt32LE(name, at);
  bytes.writeUInt32LE(1, at + 4);
  bytes.writeBigUInt64LE(BigInt(offset), at + 24);
  bytes.writeBigUInt64LE(BigInt(sizeBytes), at + 32);
}

/** What a live patch for the test machine's kernel says of itself. */
export const livePatchInfo: readonly string[] = [
  "livepatch=Y",
  "license=GPL",
  "name=lp_demo",
  "vermagic=6.1.0-55-cloud-amd64 SMP preempt mod_unload modversions ",
];
