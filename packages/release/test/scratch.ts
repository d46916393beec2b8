/** What each test of repositories begins with: a folder, keys, and packages to publish. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  directoryStore,
  exportPublicKeys,
  makeKey,
  openSigner,
  type Publication,
  publish,
  type PublishRequest,
} from "../src/mod.ts";

export const signal: AbortSignal = new AbortController().signal;
export const passphrase = "correct horse battery staple";

export interface Scratch extends AsyncDisposable {
  readonly path: string;
  /** The repository's folder in it. */
  readonly repository: string;
}

export async function scratch(): Promise<Scratch> {
  const path = await mkdtemp(join(tmpdir(), "kgraft-release-test-"));
  return {
    path,
    repository: join(path, "repository"),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Makes a key in a file and answers its path. */
export async function newKey(path: string): Promise<string> {
  await makeKey({ userId: "Example live patches <patches@example.org>", path, passphrase, signal });
  return path;
}

/** The public key, armored. */
export async function publicKey(key: string): Promise<string> {
  await using signer = await openSigner({ keys: [key], passphrase, signal });
  return (await exportPublicKeys(signer, signal)).join("");
}

export async function publishWith(
  keys: readonly string[],
  repository: string,
  packages: readonly string[],
  more: Partial<Omit<PublishRequest, "signer" | "packages">> = {},
): Promise<Publication> {
  await using signer = await openSigner({ keys, passphrase, signal });
  const store = directoryStore(repository);
  return await publish({ store, channel: "stable", packages, signer, ...more }, { signal });
}

/** A copy that is a repository of its own: its links lead into it. */
export async function copyRepository(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, verbatimSymlinks: true });
}
