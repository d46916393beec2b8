/** What all commands that work on a repository share: where it is, and what signs it. */
import { resolve } from "node:path";
import {
  directoryStore,
  exportPublicKeys,
  openSigner,
  s3Store,
  type Signer,
  type Store,
} from "@kgraft/release";
import type { Context } from "./context.ts";
import { FileUnreadable, UsageError } from "./errors.ts";
import { readInput } from "./input-file.ts";
import { parsePath, parseText } from "./parameters.ts";

export interface RepositoryFlags {
  readonly repository: string;
  readonly channel: string;
}

export interface KeyFlags {
  readonly key: readonly string[];
  readonly passphraseFile?: string;
}

interface Parsed {
  readonly kind: "parsed";
  readonly parse: (text: string) => string;
  readonly brief: string;
  readonly placeholder: string;
}

export const repositoryFlag: Parsed = {
  kind: "parsed",
  parse: parseText,
  brief: "Folder of the repository, or s3://BUCKET/FOLDER",
  placeholder: "REPOSITORY",
};

export const channelFlag: Parsed & { readonly default: string } = {
  kind: "parsed",
  parse: parseText,
  brief: "Which of its channels, the suite for apt",
  placeholder: "NAME",
  default: "stable",
};

export const keyFlag: Parsed & { readonly variadic: true } = {
  kind: "parsed",
  parse: parseText,
  brief: "What signs: file of a secret key, or fingerprint in your GnuPG home; may be given more than once",
  placeholder: "KEY",
  variadic: true,
};

export const passphraseFlag: Parsed & { readonly optional: true } = {
  kind: "parsed",
  parse: parsePath,
  brief: "File with the key's passphrase, which KGRAFT_KEY_PASSPHRASE has otherwise",
  placeholder: "FILE",
  optional: true,
};

export function openStore(name: string, { signal }: Context): Store {
  // Otherwise s3:/patches, or an address of the web, becomes a folder of that name.
  if (/^[a-z][a-z0-9+.-]*:\//i.test(name) && !name.startsWith("s3://")) {
    throw new UsageError(
      `cannot write to ${name}: wanted a folder, or s3://BUCKET/FOLDER`,
      "a web server serves the folder; for a folder of this name type ./ before it",
    );
  }
  return name.startsWith("s3://")
    ? s3Store(name, { env: process.env, signal })
    : directoryStore(resolve(name));
}

export async function openKeys({ key, passphraseFile }: KeyFlags, context: Context): Promise<Signer> {
  const passphrase = await readPassphrase(passphraseFile, context);
  return openSigner({ keys: key, ...(passphrase !== undefined && { passphrase }), signal: context.signal });
}

/** The first line of the file, or what the environment says; undefined: an agent has it, or asks. */
export async function readPassphrase(
  file: string | undefined,
  { signal }: Context,
): Promise<string | undefined> {
  if (file === undefined) return process.env["KGRAFT_KEY_PASSPHRASE"];
  const bytes = await readInput(file, { hint: "name a file with one line", signal, limitBytes: 4096 });
  return bytes.toString("utf8").split("\n")[0] ?? "";
}

/** Either names keys: the public ones that machines have, or the ones that sign. */
export interface TrustFlags extends Omit<KeyFlags, "key"> {
  readonly key?: readonly string[];
  readonly trust?: readonly string[];
}

export const trustFlag: Parsed & { readonly optional: true; readonly variadic: true } = {
  kind: "parsed",
  parse: parsePath,
  brief: "file of the public key that machines have",
  placeholder: "FILE",
  optional: true,
  variadic: true,
};

/** Public keys, armored. @throws UsageError where none is named */
export async function trustedKeys(flags: TrustFlags, context: Context): Promise<readonly string[]> {
  if (flags.trust !== undefined)
    return Promise.all(flags.trust.map((path) => readPublicKeys(path, context.signal)));
  if (flags.key === undefined) {
    throw new UsageError(
      "option --trust is missing",
      "name the public key that machines have: what a repository says of itself proves nothing",
    );
  }
  await using signer = await openKeys({ ...flags, key: flags.key }, context);
  return await exportPublicKeys(signer, context.signal);
}

/** @throws FileUnreadable where it holds anything but armored public keys */
async function readPublicKeys(path: string, signal: AbortSignal): Promise<string> {
  const hint = "name what kgraft key show --armor prints, or dists/CHANNEL/kgraft.asc of the repository";
  const text = (await readInput(path, { hint, signal, limitBytes: 1 << 20 })).toString("utf8");
  const kinds = [...text.matchAll(/^-----BEGIN ([^\r\n]*)-----\r?$/gm)].map(([, kind = ""]) => kind);
  const other = kinds.find((kind) => kind !== "PGP PUBLIC KEY BLOCK");
  if (kinds.length > 0 && other === undefined) return text;
  throw new FileUnreadable(
    `cannot read the public key ${path}: found ${other ?? "no BEGIN line"}, wanted PGP PUBLIC KEY BLOCK`,
    hint,
  );
}
