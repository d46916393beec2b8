/**
 * Signatures are GnuPG's own (docs/adr/0014): it holds keys in an agent, on a card or in a file with a passphrase,
 * rpmsign works through it, and every client that will check them reads what it writes.
 *
 * A signer is a GnuPG home and the keys in it that sign. A key that lives in a file is brought into a home of its own
 * that is gone afterwards, with its agent; the passphrase goes through a pipe, never on a command line.
 */
import { readFile } from "node:fs/promises";
import { execa } from "execa";
import { KeyUnfit, KeySigningFailed } from "../repository/errors.ts";
import { whyUnread } from "../unread.ts";
import { openHome } from "./home.ts";
import { type PublicKey, readListing } from "./listing.ts";

/** What signs: a fingerprint in the user's own GnuPG home, or the path of an armored secret key. */
export type KeyName = string;

export interface SignerRequest {
  readonly keys: readonly KeyName[];
  /** Of keys in files; keys in an agent are the agent's business. */
  readonly passphrase?: string;
  readonly signal: AbortSignal;
}

export interface Signer extends AsyncDisposable {
  readonly keys: readonly PublicKey[];
  /** GNUPGHOME for programs that sign through gpg themselves; undefined: the user's own. */
  readonly home: string | undefined;
  readonly passphrase: string | undefined;
  /** The text with a cleartext signature of each key around it. */
  readonly clearSign: (text: string) => Promise<string>;
  /** One armored block with a detached signature of each key, which are good for so long, or for good. */
  readonly detachedSignature: (bytes: string | Uint8Array, validSeconds?: number) => Promise<string>;
}

const fingerprintForm = /^(0x)?[0-9A-Fa-f]{16,40}$/;

/** @throws KeyUnfit where a key is not there or cannot sign */
export async function openSigner({ keys, passphrase, signal }: SignerRequest): Promise<Signer> {
  if (keys.length === 0) {
    throw new KeyUnfit("cannot sign: no key is named", "name one with --key; kgraft key new makes one");
  }
  const inFiles = keys.filter((name) => !fingerprintForm.test(name));
  if (inFiles.length > 0 && inFiles.length < keys.length) {
    throw new KeyUnfit(
      "cannot sign: some keys are files and some are fingerprints",
      "name all as files, or import the files into your own GnuPG home with: gpg --import FILE",
    );
  }
  // The agent need not guard the key against years of guessing, as the file does: it would measure for seconds how often
  // to hash, and hash so often for each signature.
  const own = inFiles.length > 0 ? await openHome(["s2k-count 65536"]) : undefined;
  const home = own?.path;
  const gpg: Gpg = { home, passphrase, signal };
  try {
    const found: PublicKey[] = [];
    for (const name of keys) found.push(await findKey(gpg, name));
    const users = found.flatMap(({ fingerprint }) => ["--local-user", `${fingerprint}!`]);
    // One after the other: asked for several at once, gpg-agent (2.2.40) now and then fails to unlock the key and
    // says "Corrupted protection" or "Invalid value". Where one fails, none is tried again: an agent would ask again.
    let last: Promise<unknown> = Promise.resolve();
    const sign = (input: string | Uint8Array, ...mode: string[]): Promise<string> => {
      const words = [...mode, "--digest-algo", "SHA512", ...users];
      const signature = last.then(async () => (await runGpg(gpg, words, input)).toString("utf8"));
      last = signature;
      last.catch(() => {}); // told to whoever asked
      return signature;
    };
    return {
      keys: found,
      home,
      passphrase,
      clearSign: (text) => sign(text, "--clear-sign"),
      detachedSignature: (bytes, validSeconds) =>
        sign(
          bytes,
          ...(validSeconds === undefined ? [] : ["--default-sig-expire", `seconds=${validSeconds}`]),
          "--detach-sign",
          "--armor",
        ),
      async [Symbol.asyncDispose]() {
        await own?.[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await own?.[Symbol.asyncDispose]();
    throw error;
  }
}

async function findKey(gpg: Gpg, name: KeyName): Promise<PublicKey> {
  if (gpg.home === undefined) return oneKey(name, await listSecretKeys(gpg, [name]));
  const bytes = await readFile(name).catch((cause: unknown) => {
    throw new KeyUnfit(
      `cannot read the key ${name}: ${whyUnread(cause)}`,
      "name the file that kgraft key new wrote, or a fingerprint",
      { cause },
    );
  });
  if (!bytes.subarray(0, 4096).includes("BEGIN PGP PRIVATE KEY BLOCK")) {
    throw new KeyUnfit(
      `cannot read the key ${name}: found no BEGIN PGP PRIVATE KEY BLOCK`,
      "name an armored secret key, as kgraft key new and gpg --armor --export-secret-keys write it",
    );
  }
  const before = new Set((await listSecretKeys(gpg, [])).map(({ fingerprint }) => fingerprint));
  await runGpg(gpg, ["--import"], bytes);
  const added = (await listSecretKeys(gpg, [])).filter(({ fingerprint }) => !before.has(fingerprint));
  return oneKey(name, added);
}

function oneKey(name: KeyName, found: readonly PublicKey[]): PublicKey {
  const [key, ...more] = found;
  if (key === undefined || more.length > 0) {
    throw new KeyUnfit(
      `cannot sign with ${name}: found ${found.length} secret keys, wanted 1`,
      "type: gpg --list-secret-keys --with-fingerprint",
    );
  }
  if (key.expires !== undefined && key.expires <= Date.now() / 1000) {
    throw new KeyUnfit(
      `cannot sign with ${name}: it expired on ${new Date(key.expires * 1000).toISOString().slice(0, 10)}`,
      "take a new key in turn: kgraft key rotate --help",
    );
  }
  return key;
}

async function listSecretKeys(gpg: Gpg, names: readonly string[]): Promise<readonly PublicKey[]> {
  const words = ["--with-colons", "--list-secret-keys", "--fixed-list-mode", ...names];
  const listing = await runGpg(gpg, words, "", [0, 2]);
  return readListing(listing.toString("utf8"));
}

/** Armored public keys, one block after the other. */
export async function exportPublicKeys(signer: Signer, signal: AbortSignal): Promise<readonly string[]> {
  const gpg: Gpg = { home: signer.home, passphrase: undefined, signal };
  return Promise.all(
    signer.keys.map(async ({ fingerprint }) =>
      (
        await runGpg(gpg, ["--armor", "--export-options", "export-minimal", "--export", fingerprint], "")
      ).toString("utf8"),
    ),
  );
}

export interface Gpg {
  readonly home: string | undefined;
  readonly passphrase: string | undefined;
  readonly signal: AbortSignal;
}

/** Runs gpg on an input. @throws KeySigningFailed with what it said */
export async function runGpg(
  { home, passphrase, signal }: Gpg,
  words: readonly string[],
  input: string | Uint8Array,
  okCodes: readonly number[] = [0],
): Promise<Buffer> {
  const loopback = passphrase === undefined ? [] : ["--pinentry-mode", "loopback", "--passphrase-fd", "3"];
  const result = await execa(
    "gpg",
    [
      "--batch",
      "--yes",
      "--no-tty",
      // Names are in UTF-8 here, whatever the locale says.
      "--utf8-strings",
      ...(home === undefined ? [] : ["--homedir", home]),
      ...loopback,
      ...words,
    ],
    {
      env: { LC_ALL: "C" },
      input: typeof input === "string" ? Buffer.from(input) : input,
      stdio:
        passphrase === undefined
          ? ["pipe", "pipe", "pipe"]
          : ["pipe", "pipe", "pipe", Buffer.from(passphrase)],
      encoding: "buffer",
      stripFinalNewline: false,
      reject: false,
      cancelSignal: signal,
    } as const,
  );
  signal.throwIfAborted();
  if (okCodes.includes(result.exitCode ?? 128)) return Buffer.from(result.stdout);
  const said = Buffer.from(result.stderr).toString("utf8").trim();
  throw new KeySigningFailed(
    `cannot run gpg ${words.find((word) => word.startsWith("--")) ?? ""}: exit status is ${result.exitCode ?? "a signal"}, wanted 0${said === "" ? "" : `: ${said.split("\n").at(-1)}`}`,
    /[Bb]ad passphrase|[Nn]o passphrase|No pinentry|Inappropriate ioctl/.test(said)
      ? "give the passphrase in KGRAFT_KEY_PASSPHRASE or with --passphrase-file, or let gpg-agent have it"
      : "type the same with gpg itself to see more",
  );
}
