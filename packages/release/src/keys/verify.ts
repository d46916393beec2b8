/** Checking signatures as apt does: with gpgv, and a keyring of exactly the keys that are trusted. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { RepositoryUnfit, ToolFailed } from "../repository/errors.ts";

export interface Verified {
  /** What was signed; of a detached signature, the data itself. */
  readonly content: Buffer;
  /** Fingerprints of the trusted keys that signed it. */
  readonly signers: readonly string[];
}

export interface SignedData {
  /** What it is called in messages. */
  readonly name: string;
  /** Cleartext with its signature, or the data of a detached one. */
  readonly data: Uint8Array;
  readonly detached?: Uint8Array;
}

/** @param trusted armored public keys @throws RepositoryUnfit where none of them signed it, or one did not after all */
export async function verifySigned(
  { name, data, detached }: SignedData,
  trusted: readonly string[],
  signal: AbortSignal,
): Promise<Verified> {
  const folder = await mkdtemp(join(tmpdir(), "kgraft-verify-"));
  try {
    const [keyring, signed, signature, output] = ["keys.gpg", "signed", "signature", "content"].map((one) =>
      join(folder, one),
    ) as [string, string, string, string];
    await writeFile(keyring, Buffer.concat(trusted.map(dearmor)));
    await writeFile(signed, data);
    if (detached !== undefined) await writeFile(signature, detached);
    const files = detached === undefined ? ["--output", output, signed] : [signature, signed];
    const result = await execa("gpgv", ["--status-fd", "1", "--keyring", keyring, ...files], {
      env: { LC_ALL: "C" },
      reject: false,
      cancelSignal: signal,
    });
    signal.throwIfAborted();
    if (result.code === "ENOENT")
      throw new ToolFailed("cannot run gpgv: it is not here", "type: kgraft doctor");
    const signers = judge(name, result.stdout);
    return { content: detached === undefined ? await readFile(output) : Buffer.from(data), signers };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Source: doc/DETAILS of GnuPG, "Format of the --status-fd output". */
function judge(name: string, status: string): readonly string[] {
  const lines = status.split("\n").map((line) => line.replace("[GNUPG:] ", "").split(" "));
  const of = (word: string): readonly (readonly string[])[] => lines.filter(([first]) => first === word);
  const hint =
    "it was damaged, tampered with, or signed by somebody else: publish it again from what you trust";
  if (of("BADSIG").length > 0) {
    throw new RepositoryUnfit(`cannot trust ${name}: its signature is not of these contents`, hint);
  }
  if (of("EXPKEYSIG").length > 0 || of("REVKEYSIG").length > 0) {
    throw new RepositoryUnfit(
      `cannot trust ${name}: its key is expired or revoked`,
      "kgraft key rotate brings a new one",
    );
  }
  if (of("EXPSIG").length > 0) {
    const ends = of("VALIDSIG")
      .map((fields) => Number(fields[4]))
      .toSorted((a, b) => a - b);
    throw new RepositoryUnfit(
      `cannot trust ${name}: its signature expired on ${new Date((ends[0] ?? 0) * 1000).toISOString()}`,
      "publish again, with no package if there is none; where that was done, an old state is served",
    );
  }
  const signers = of("VALIDSIG").map((fields) => fields[10] ?? fields[1] ?? "");
  if (signers.length > 0) return signers;
  const unknown = of("ERRSIG").map((fields) => fields[1] ?? "");
  if (unknown.length > 0) {
    throw new RepositoryUnfit(
      `cannot trust ${name}: it is signed by ${unknown.join(", ")}, which is not trusted`,
      "name the key that signed it, or publish it again with one of yours",
    );
  }
  throw new RepositoryUnfit(`cannot trust ${name}: it has no signature`, hint);
}

/** The bytes in all armored blocks: in a rotation, a file has one for each key. Source: RFC 4880, section 6.2. */
export function dearmor(armored: string): Buffer {
  const blocks = armored
    .replaceAll("\r", "")
    .matchAll(/-----BEGIN [^\n]+-----\n(?:[^\n]+\n)*\n([\s\S]*?)(?:\n=[A-Za-z0-9+/]{4})?\n-----END/g);
  return Buffer.concat([...blocks].map(([, body = ""]) => Buffer.from(body, "base64")));
}
