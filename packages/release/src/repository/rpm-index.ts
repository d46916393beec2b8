/**
 * The rpm side of a channel: `rpm/CHANNEL/repodata`. repomd.xml is written here, because createrepo_c would read the
 * whole repository for it.
 *
 * The keys are named in it as content `gpg-pubkey-ID-TIME.asc?fpr=FINGERPRINT`, beside which libzypp finds each key
 * and takes it over, once the metadata is signed with one that it trusts: that is how a new key reaches a machine, where
 * libzypp is new enough; 17.25 of Debian 12 does not look, and has it from the keyring package.
 *
 * rpm-md knows no Valid-Until. What it says of time is said twice instead: the signature of repomd.xml ends with the
 * publication, so that zypper and dnf refuse what is served after that; and `suseinfo` tells zypper how long metadata
 * is fresh, for where the same repomd.xml is served on and on, zypper does not look at its signature again.
 * Source: http://createrepo.baseurl.org; libzypp, zypp/repo/RepomdFileReader.cc (keyhints) and KeyRing.cc.
 */
import { xmlText } from "../advisory/updateinfo.ts";
import type { IndexFile } from "./blocks.ts";
import type { LedgerKey } from "./ledger.ts";

export interface RepomdFacts {
  readonly revision: number;
  /** Seconds since 1970. */
  readonly time: number;
  readonly keys: readonly LedgerKey[];
  /** By their type: primary, filelists, other, updateinfo, suseinfo. */
  readonly indexes: ReadonlyMap<string, IndexFile>;
}

export const rpmHeads: Readonly<Record<string, (packages: number) => string>> = {
  primary: (packages) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="${packages}">\n`,
  filelists: (packages) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="${packages}">\n`,
  other: (packages) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="${packages}">\n`,
};

export const rpmTails: Readonly<Record<string, string>> = {
  primary: "</metadata>\n",
  filelists: "</filelists>\n",
  other: "</otherdata>\n",
};

/** For how long metadata is fresh. */
export function suseinfoText(seconds: number): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<suseinfo>\n  <expire>${seconds}</expire>\n</suseinfo>\n`;
}

/** Name of an index file, by its contents. */
export function indexName(type: string, { sha256 }: IndexFile): string {
  return `${sha256}-${type}.xml.gz`;
}

/** Name of a key's file beside `repodata`. */
export function keyFile({ fingerprint, since }: LedgerKey): string {
  return `gpg-pubkey-${fingerprint.slice(-8).toLowerCase()}-${since.toString(16)}.asc`;
}

export function repomdText({ revision, time, keys, indexes }: RepomdFacts): string {
  const hints = keys.map(
    (key) => `    <content>${xmlText(`${keyFile(key)}?fpr=${key.fingerprint}`)}</content>`,
  );
  const data = [...indexes].map(([type, index]) =>
    [
      `  <data type="${type}">`,
      `    <checksum type="sha256">${index.sha256}</checksum>`,
      `    <open-checksum type="sha256">${index.plainSha256}</open-checksum>`,
      `    <location href="repodata/${indexName(type, index)}"/>`,
      `    <timestamp>${time}</timestamp>`,
      `    <size>${index.compressed.length}</size>`,
      `    <open-size>${index.plainBytes}</open-size>`,
      "  </data>",
    ].join("\n"),
  );
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">',
    `  <revision>${time}</revision>`,
    "  <tags>",
    ...hints,
    `    <repo>kgraft-revision-${revision}</repo>`,
    "  </tags>",
    ...data,
    "</repomd>",
  ].join("\n")}\n`;
}
