/**
 * Signing an rpm, as dnf wants it (gpgcheck=1), with rpm's own program. A package holds one signature; while keys are
 * rotated it is the older key's, because that one every machine knows.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Signer } from "../keys/gnupg.ts";
import { runTool } from "./tool.ts";

/** Signs files in place with one of the signer's keys. @throws KeySigningFailed, ToolFailed */
export async function signRpms(
  files: readonly string[],
  signer: Signer,
  fingerprint: string,
  signal: AbortSignal,
): Promise<void> {
  if (files.length === 0) return;
  const { home, passphrase } = signer;
  const secret = passphrase === undefined ? undefined : await passphraseFile(home, passphrase);
  const extra = secret === undefined ? "" : ` --pinentry-mode loopback --passphrase-file ${secret.path}`;
  const defines = [
    `_gpg_name ${fingerprint}`,
    `_gpg_sign_cmd_extra_args --batch --no-tty${extra}`,
    // Debian leaves this one without a path, and rpm looks in none.
    "__gpg /usr/bin/gpg",
    "_gpg_digest_algo sha256",
    ...(home === undefined ? [] : [`_gpg_path ${home}`]),
  ];
  try {
    await runTool("rpmsign", ["--addsign", ...defines.flatMap((one) => ["--define", one]), ...files], {
      signal,
      ...(home !== undefined && { env: { GNUPGHOME: home } }),
    });
  } catch (error) {
    // rpmsign says only that gpg failed; asked for a signature itself, gpg says why.
    await signer.detachedSignature("");
    throw error;
  } finally {
    if (secret !== undefined) await rm(secret.folder, { recursive: true });
  }
}

/** A file, because gpg is the grandchild; only its owner reads it, and it is there only for now. */
async function passphraseFile(
  home: string | undefined,
  passphrase: string,
): Promise<{ readonly folder: string; readonly path: string }> {
  const folder = await mkdtemp(join(home ?? tmpdir(), "kgraft-passphrase-"));
  const path = join(folder, "passphrase");
  await writeFile(path, passphrase, { mode: 0o600 });
  return { folder, path };
}
