/**
 * The kernel's own signature of a module, made by the kernel's own tool: sign-file of the prepared tree appends a
 * PKCS#7 message, `struct module_signature` and a marker to the module. A signature has no time in it, so with an RSA
 * key same inputs give same bytes.
 * Source: Documentation/admin-guide/module-signing.rst and scripts/sign-file.c of the kernel.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KernelTree, run } from "@kgraft/kernel";
import { SigningFailed } from "../errors.ts";

export interface SigningKey {
  /** Path of the private key, in PEM; its passphrase is taken from the environment, KBUILD_SIGN_PIN. */
  readonly key: string;
  /** Path of the X.509 certificate of that key, in PEM or DER. */
  readonly certificate: string;
  /** What the module is hashed by; the kernel must have it built in. */
  readonly hash?: SigningHash;
}

export const signingHashes = ["sha256", "sha384", "sha512"] as const;
export type SigningHash = (typeof signingHashes)[number];

/** The kernel's option for each hash. One that is a module is not there yet when modules are checked. */
const options: Readonly<Record<SigningHash, string>> = {
  sha256: "CONFIG_CRYPTO_SHA256",
  sha384: "CONFIG_CRYPTO_SHA512",
  sha512: "CONFIG_CRYPTO_SHA512",
};

/** Checks what can be checked before anything is built. @throws {SigningFailed} */
export async function checkSigningKey(
  tree: KernelTree,
  { key, certificate, hash = "sha256" }: SigningKey,
): Promise<void> {
  const config = await readFile(tree.config, "utf8");
  if (!config.includes(`\n${options[hash]}=y\n`)) {
    throw new SigningFailed(
      `cannot sign for ${tree.release} with ${hash}: the kernel does not have it built in, wanted ${options[hash]}=y`,
      "take another --sign-hash",
    );
  }
  const x509 = parsed(
    certificate,
    await read(certificate),
    "an X.509 certificate in PEM or DER",
    (bytes) => new X509Certificate(bytes),
  );
  const pem = await read(key);
  const passphrase = process.env["KBUILD_SIGN_PIN"];
  const isEncrypted = /ENCRYPTED/.test(pem.toString("latin1"));
  if (isEncrypted && passphrase === undefined) {
    throw new SigningFailed(
      `cannot read ${key}: it is encrypted, and KBUILD_SIGN_PIN is not set`,
      "give its passphrase in the environment variable KBUILD_SIGN_PIN",
    );
  }
  const wanted = isEncrypted ? "the passphrase in KBUILD_SIGN_PIN to open it" : "a private key in PEM";
  const secret = parsed(key, pem, wanted, (bytes): KeyObject =>
    createPrivateKey({ key: bytes, format: "pem", ...(passphrase !== undefined && { passphrase }) }),
  );
  if (x509.checkPrivateKey(secret)) return;
  throw new SigningFailed(
    `cannot sign with ${key}: it is not the key of ${certificate} (${x509.subject.replaceAll("\n", ", ")})`,
    "name the key and the certificate that were made together",
  );
}

/** The module with its signature appended. @throws {SigningFailed} */
export async function signModule(
  tree: KernelTree,
  module: Uint8Array,
  { key, certificate, hash = "sha256" }: SigningKey,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), "kgraft-sign-"));
  try {
    const [unsigned, signed] = [join(directory, "module.ko"), join(directory, "signed.ko")];
    await writeFile(unsigned, module);
    const program = join(tree.sourceDirectory, "scripts/sign-file");
    const { code, stderr } = await run(program, [hash, key, certificate, unsigned, signed], {
      signal,
      okCodes: "all",
    });
    if (code !== 0) {
      throw new SigningFailed(
        `cannot sign the live patch: sign-file ended with ${code}\n${stderr}`,
        "see what sign-file says; kgraft doctor names missing libraries",
      );
    }
    return await readFile(signed);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function read(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new SigningFailed(`cannot read ${path}: ${why}`, "name the key and the certificate to sign with", {
      cause,
    });
  });
}

function parsed<T>(path: string, bytes: Buffer, wanted: string, parse: (bytes: Buffer) => T): T {
  try {
    return parse(bytes);
  } catch (cause) {
    throw new SigningFailed(
      `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}, wanted ${wanted}`,
      "openssl req -x509 -newkey rsa:4096 -keyout key.pem -out cert.pem makes both",
      { cause },
    );
  }
}
