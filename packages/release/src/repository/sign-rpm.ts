/**
 * Signing an rpm, as dnf wants it (gpgcheck=1), with rpm's own program. A package holds one signature; while keys are
 * rotated it is the older key's, because that one every machine knows.
 */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Signer } from "../keys/gnupg.ts";
import { runTool } from "./tool.ts";

/** Signs files in place with one of the signer's keys. @throws ToolFailed */
export async function signRpms(
  files: readonly string[],
  signer: Signer,
  fingerprint: string,
  signal: AbortSignal,
): Promise<void> {
  if (files.length === 0) return;
  // A file, because gpg is the grandchild; it lies in the home that is only ours and only for now.
  const secret = signer.home === undefined ? undefined : join(signer.home, "passphrase");
  const extra = secret === undefined ? "" : ` --pinentry-mode loopback --passphrase-file ${secret}`;
  if (secret !== undefined) await writeFile(secret, signer.passphrase ?? "", { mode: 0o600 });
  try {
    await runTool(
      "rpmsign",
      [
        "--addsign",
        "--define",
        `_gpg_name ${fingerprint}`,
        "--define",
        `_gpg_sign_cmd_extra_args --batch --no-tty${extra}`,
        // Debian leaves this one without a path, and rpm looks in none.
        "--define",
        "__gpg /usr/bin/gpg",
        "--define",
        "_gpg_digest_algo sha256",
        ...(signer.home === undefined ? [] : ["--define", `_gpg_path ${signer.home}`]),
        ...files,
      ],
      { signal, ...(signer.home !== undefined && { env: { GNUPGHOME: signer.home } }) },
    );
  } finally {
    if (secret !== undefined) await rm(secret, { force: true });
  }
}
