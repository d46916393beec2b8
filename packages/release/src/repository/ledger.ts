/**
 * What a channel of a repository holds, as its publisher remembers it: the ledger. The indexes that clients read are
 * drawn from it, and whatever a crash left behind is made whole from it.
 *
 * A ledger is a lasting file named by its hash. The pointer `kgraft/CHANNEL/ledger.asc` says which one counts, and is
 * signed, because the next publication signs again what the ledger says: whoever can write to a web server must not
 * thereby get a package into the signed index.
 */
import {
  type Lifecycle,
  type LifecyclePolicy,
  lifecyclePolicySchema,
  lifecycleSchema,
} from "@kgraft/contract";
import * as z from "zod/mini";

export interface LedgerPackage {
  readonly format: "deb" | "rpm";
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** From the repository's root. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** What it was handed in as, where the file was signed on the way: an rpm. */
  readonly source?: string;
  /** When it was published, in seconds since 1970. */
  readonly added: number;
  readonly advisory?: string;
}

/** Entries that are compressed together; `members` and the entries in each part stand in the same order. */
export interface Block {
  readonly members: readonly string[];
  /** Hash of each part's text, by the part's name: `Packages`; `primary`, `filelists`, `other`; `updateinfo`. */
  readonly parts: Readonly<Record<string, string>>;
}

export interface LedgerKey {
  readonly fingerprint: string;
  /** `signing`: every publication is signed with it; `retired`: packages signed with it are still there. */
  readonly role: "signing" | "retired";
  /** Seconds since 1970. */
  readonly since: number;
  /** The public key, armored. */
  readonly armored: string;
}

export interface LedgerAdvisory {
  readonly id: string;
  readonly release: string;
  readonly counter: number;
  readonly status: "stable" | "retracted";
  /** Seconds since 1970. */
  readonly updated: number;
  /** Hash of the advisory itself, which lies in `kgraft/CHANNEL/advisories`. */
  readonly sha256: string;
}

export interface RepositorySettings {
  /** Who publishes: Origin and Label of the Release file, the vendor of advisories. */
  readonly origin: string;
  /** How long clients believe a publication, in days. */
  readonly validDays: number;
  /** Where machines find the repository, without a slash at the end; the files that set a machine up name it. */
  readonly url?: string;
  /** How many versions of a package stay listed, however old. */
  readonly keepVersions: number;
  /** How long each version stays listed, however many there are, in days. */
  readonly keepDays: number;
  /** Until when live patches are made for a kernel. */
  readonly lifecycle: LifecyclePolicy;
  /** Whether machines take from it only what they are told to, as of a channel of program temporary fixes. */
  readonly onRequest?: boolean;
}

export interface Ledger {
  readonly schema: "kgraft-repository/1";
  readonly channel: string;
  /** Counts the publications. */
  readonly revision: number;
  /** Seconds since 1970; each publication's is greater than the one's before it. */
  readonly time: number;
  readonly settings: RepositorySettings;
  readonly keys: readonly LedgerKey[];
  readonly packages: readonly LedgerPackage[];
  readonly advisories: readonly LedgerAdvisory[];
  readonly lifecycle: Lifecycle;
  /** By `deb-ARCHITECTURE`, `rpm`, `updateinfo`. */
  readonly groups: Readonly<Record<string, readonly Block[]>>;
  /** The index files that clients are told of. */
  readonly files: readonly string[];
  /** Files that no index names any more; they are removed when clients have forgotten those that did. */
  readonly dropped: readonly { readonly path: string; readonly at: number }[];
}

const word: z.ZodMiniType<string> = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+~:-]{0,199}$/));
const path: z.ZodMiniType<string> = z
  .string()
  .check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]*(\/[A-Za-z0-9][A-Za-z0-9._+~-]*)*$/), z.maxLength(512));
const hash: z.ZodMiniType<string> = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const count: z.ZodMiniType<number> = z.int().check(z.minimum(0));

export const ledgerSchema: z.ZodMiniType<Ledger> = z.strictObject({
  schema: z.literal("kgraft-repository/1"),
  channel: word,
  revision: count,
  time: count,
  settings: z.strictObject({
    origin: z.string().check(z.maxLength(200)),
    validDays: count,
    keepVersions: count,
    keepDays: count,
    url: z.exactOptional(z.string().check(z.regex(/^https?:\/\/[^\s"'<>]{1,1000}$/))),
    lifecycle: lifecyclePolicySchema,
    onRequest: z.exactOptional(z.boolean()),
  }),
  keys: z.array(
    z.strictObject({
      fingerprint: z.string().check(z.regex(/^[0-9A-F]{40}$/)),
      role: z.enum(["signing", "retired"]),
      since: count,
      armored: z.string().check(z.maxLength(65_536)),
    }),
  ),
  packages: z.array(
    z.strictObject({
      format: z.enum(["deb", "rpm"]),
      name: word,
      version: word,
      architecture: word,
      path,
      sizeBytes: count,
      sha256: hash,
      source: z.exactOptional(hash),
      added: count,
      advisory: z.exactOptional(word),
    }),
  ),
  advisories: z.array(
    z.strictObject({
      id: word,
      release: word,
      counter: count,
      status: z.enum(["stable", "retracted"]),
      updated: count,
      sha256: hash,
    }),
  ),
  lifecycle: lifecycleSchema,
  groups: z.record(word, z.array(z.strictObject({ members: z.array(path), parts: z.record(word, hash) }))),
  files: z.array(path),
  dropped: z.array(z.strictObject({ path, at: count })),
});
