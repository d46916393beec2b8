/**
 * Which keys sign a channel. A key is changed in two steps, with an overlap between them in which everything is signed
 * with both: a machine that knows only the old key goes on, and in that time learns the new one (from the keyring
 * package, or from the hints in repomd.xml). Then the old one stops signing. It stays among the keys that rpm clients
 * are offered, because packages that it signed are still there.
 */
import type { Signer } from "../keys/gnupg.ts";
import { KeyUnfit } from "./errors.ts";
import type { LedgerKey } from "./ledger.ts";

/** `begin`: a new key signs too. `finish`: only the named ones sign from now on. */
export type Rotation = "begin" | "finish";

/** @param publicKeys the signer's, armored, in its order @throws KeyUnfit where they are not the ones that are wanted */
export function keysAfter(
  before: readonly LedgerKey[],
  signer: Pick<Signer, "keys">,
  publicKeys: readonly string[],
  time: number,
  rotation?: Rotation,
): readonly LedgerKey[] {
  const offered = new Map(signer.keys.map(({ fingerprint }, at) => [fingerprint, publicKeys[at] ?? ""]));
  const signing = before.filter(({ role }) => role === "signing");
  const missing = signing.filter(({ fingerprint }) => !offered.has(fingerprint));
  const fresh = signer.keys.filter(
    ({ fingerprint }) => !signing.some((one) => one.fingerprint === fingerprint),
  );
  if (before.length === 0 && rotation !== undefined) {
    throw new KeyUnfit(
      "cannot rotate: nothing was published there yet, so no key signs it",
      "see that --repository and --channel are right, or publish with the new key from the start",
    );
  }
  if (before.length > 0)
    checkOffer({ signing, missing, fresh: fresh.map(({ fingerprint }) => fingerprint) }, rotation);
  const stay = before.map((key): LedgerKey => {
    if (rotation === "finish" && missing.includes(key)) return { ...key, role: "retired", since: time };
    return { ...key, armored: offered.get(key.fingerprint) ?? key.armored };
  });
  const added = fresh.map(({ fingerprint, created }): LedgerKey => ({
    fingerprint,
    role: "signing",
    since: created,
    armored: offered.get(fingerprint) ?? "",
  }));
  return [...stay, ...added];
}

function checkOffer(
  {
    signing,
    missing,
    fresh,
  }: {
    readonly signing: readonly LedgerKey[];
    readonly missing: readonly LedgerKey[];
    readonly fresh: readonly string[];
  },
  rotation: Rotation | undefined,
): void {
  if (rotation === "finish") {
    if (missing.length === 0 || fresh.length > 0) {
      throw new KeyUnfit(
        `cannot finish the rotation: found ${fresh.length > 0 ? `a key that does not sign yet, ${fresh.join(", ")}` : "no key that would stop signing"}`,
        `name those of ${names(signing)} that go on signing`,
      );
    }
    return;
  }
  if (missing.length > 0) {
    throw new KeyUnfit(
      `cannot sign: the repository is signed with ${names(signing)}, and ${names(missing)} is not among the given keys`,
      "name all of them with --key; a rotation is under way until kgraft key rotate --finish",
    );
  }
  if (rotation === "begin" ? fresh.length === 0 : fresh.length > 0) {
    throw new KeyUnfit(
      rotation === "begin"
        ? "cannot begin a rotation: all given keys sign already"
        : `cannot sign: the repository is not signed with ${fresh.join(", ")}`,
      "type: kgraft key rotate --help",
    );
  }
}

function names(keys: readonly LedgerKey[]): string {
  return keys.map(({ fingerprint }) => fingerprint).join(" and ");
}

/** Keys that sign, oldest first. */
export function signingKeys(keys: readonly LedgerKey[]): readonly LedgerKey[] {
  return keys.filter(({ role }) => role === "signing");
}
