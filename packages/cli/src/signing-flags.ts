/** How a module is signed: what the commands that build one share. */
import type { SigningHash, SigningKey } from "@kgraft/build";
import { UsageError } from "./errors.ts";
import { parsePath } from "./parameters.ts";

export interface SigningFlags {
  readonly signKey?: string;
  readonly signCert?: string;
  readonly signHash?: SigningHash;
}

interface FileFlag {
  readonly kind: "parsed";
  readonly parse: (text: string) => string;
  readonly brief: string;
  readonly placeholder: string;
  readonly optional: true;
}

export const signingFlags: { readonly signKey: FileFlag; readonly signCert: FileFlag } = {
  signKey: {
    kind: "parsed",
    parse: parsePath,
    brief: "Private key to sign the module with; KBUILD_SIGN_PIN has its passphrase",
    placeholder: "KEY.pem",
    optional: true,
  },
  signCert: {
    kind: "parsed",
    parse: parsePath,
    brief: "Certificate of that key",
    placeholder: "CERT.pem",
    optional: true,
  },
};

/** @throws UsageError where one of key and certificate is missing */
export function signingOf({ signKey: key, signCert: certificate, signHash: hash }: SigningFlags): {
  signingKey?: SigningKey;
} {
  if (key !== undefined && certificate !== undefined)
    return { signingKey: { key, certificate, ...(hash !== undefined && { hash }) } };
  if (key === undefined && certificate === undefined && hash === undefined) return {};
  throw new UsageError(
    `option --${key === undefined ? "sign-key" : "sign-cert"} is missing`,
    "a module is signed with a key and its certificate: --sign-key KEY.pem --sign-cert CERT.pem",
  );
}
