/**
 * What `gpg --with-colons` prints of keys.
 * Source: doc/DETAILS of GnuPG, "Format of the colon listings".
 */

export interface PublicKey {
  /** Forty hexadecimal digits. */
  readonly fingerprint: string;
  readonly userId: string;
  /** Bits of an RSA key; 255 or so for a curve. */
  readonly sizeBits: number;
  /** Seconds since 1970. */
  readonly created: number;
  /** Seconds since 1970; undefined: never. */
  readonly expires: number | undefined;
}

/** The primary keys of a listing. */
export function readListing(listing: string): readonly PublicKey[] {
  const keys: PublicKey[] = [];
  let record: readonly string[] | undefined;
  let fingerprint: string | undefined;
  for (const line of listing.split("\n")) {
    const fields = line.split(":");
    if (fields[0] === "sec" || fields[0] === "pub") {
      record = fields;
      fingerprint = undefined;
    } else if (fields[0] === "fpr") fingerprint ??= fields[9];
    else if (fields[0] === "uid" && record !== undefined && fingerprint !== undefined) {
      keys.push({
        fingerprint,
        userId: (fields[9] ?? "").replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        sizeBits: Number(record[2]),
        created: Number(record[5]),
        expires: record[6] === undefined || record[6] === "" ? undefined : Number(record[6]),
      });
      record = undefined;
    }
  }
  return keys;
}
