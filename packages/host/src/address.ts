/**
 * Addresses of the kernel, as signed numbers of 64 bits: those of the kernel are negative. Unsigned they would go
 * beyond 63 bits, where QuickJS 2025-04-26 is wrong: BigInt.asUintN(64, -1n) is -1n there, and
 * 0xffffffff80000000n.toString(16) begins with a 0 too many.
 */
export type Address = bigint;

/** Reads 1 to 16 hexadecimal digits; null where there is anything else. */
export function parseAddress(digits: string): Address | null {
  if (!/^[0-9a-f]{1,16}$/.test(digits)) {
    return null;
  }
  const all = digits.padStart(16, "0");
  const [high, low] = [Number.parseInt(all.slice(0, 8), 16), Number.parseInt(all.slice(8), 16)];
  return (BigInt(high | 0) << 32n) + BigInt(low);
}

/** All 16 digits. */
export function formatAddress(address: Address): string {
  const high = address >> 32n;
  const low = address - (high << 32n);
  return [Number(high) >>> 0, Number(low)].map((half) => half.toString(16).padStart(8, "0")).join("");
}
