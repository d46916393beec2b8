/**
 * A new key for signing repositories: RSA with 4096 bits, because every client in the field checks it (the rpm of
 * RHEL 8 and SLE 12 knows no Ed25519), for signing alone, without an end of its own: rotation is an act, not a date
 * that takes a fleet by surprise.
 */
import { open, rm } from "node:fs/promises";
import { KeyUnfit } from "../repository/errors.ts";
import { runGpg } from "./gnupg.ts";
import { openHome } from "./home.ts";
import { type PublicKey, readListing } from "./listing.ts";

export interface NewKeyRequest {
  /** `Name <address>`. */
  readonly userId: string;
  /** Where the secret key goes, armored; undefined: into the user's own GnuPG home. */
  readonly path?: string;
  /** Empty: the file has none. With an agent: undefined lets pinentry ask. */
  readonly passphrase: string | undefined;
  readonly signal: AbortSignal;
}

/** @throws KeyUnfit where the file is there already or the name is none */
export async function makeKey({ userId, path, passphrase, signal }: NewKeyRequest): Promise<PublicKey> {
  if (!/^[^<>\n]{3,100} <[^<>\s@]+@[^<>\s@]+>$/.test(userId)) {
    throw new KeyUnfit(
      `cannot make a key for ${JSON.stringify(userId)}: wanted a name and an address`,
      'such as --name "Example live patches <patches@example.org>"',
    );
  }
  if (path === undefined) return generate({ home: undefined, passphrase, signal }, userId);
  // Taken before the work: what is there is never written over.
  const file = await open(path, "wx", 0o600).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === "EEXIST" ? "the file is there already" : cause.message;
    throw new KeyUnfit(`cannot write the key ${path}: ${why}`, "name a file that is not there", { cause });
  });
  try {
    await using home = await openHome();
    const gpg = { home: home.path, passphrase, signal };
    const key = await generate(gpg, userId);
    await file.writeFile(await runGpg(gpg, ["--armor", "--export-secret-keys", key.fingerprint], ""));
    await file.sync();
    return key;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function generate(gpg: Parameters<typeof runGpg>[0], userId: string): Promise<PublicKey> {
  const said = await runGpg(
    gpg,
    ["--status-fd", "1", "--quick-generate-key", userId, "rsa4096", "sign", "never"],
    "",
  );
  const fingerprint = /KEY_CREATED \w ([0-9A-F]{40})/.exec(said.toString("utf8"))?.[1] ?? "";
  const listing = await runGpg(gpg, ["--with-colons", "--fixed-list-mode", "--list-keys", fingerprint], "");
  return readListing(listing.toString("utf8"))[0]!; // it was just made
}
