/** What each test of repositories begins with: a folder, keys, and packages to publish. */
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
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
    async [Symbol.asyncDispose]() {
      // dnf's gpg starts an agent for each repository, in its cache.
      for (const home of await agentHomes(path)) {
        await execa("gpgconf", ["--homedir", home, "--kill", "all"], { reject: false });
      }
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Homes in a folder whose gpg-agent runs. */
export async function agentHomes(folder: string): Promise<readonly string[]> {
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    processes.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")), // it has ended
  );
  return commands.flatMap((command) => {
    const [program = "", ...words] = command.split("\0");
    const home = words[words.indexOf("--homedir") + 1] ?? "";
    return program.endsWith("gpg-agent") && home.startsWith(`${folder}/`) ? [home] : [];
  });
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
