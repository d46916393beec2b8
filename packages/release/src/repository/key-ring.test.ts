import { describe, expect, test } from "vitest";
import type { PublicKey } from "../keys/listing.ts";
import { keysAfter, type Rotation, signingKeys } from "./key-ring.ts";
import type { LedgerKey } from "./ledger.ts";

const fingerprint = (letter: string): string => letter.repeat(40);
const key = (letter: string): PublicKey => ({
  fingerprint: fingerprint(letter),
  userId: letter,
  sizeBits: 4096,
  created: 1,
  expires: undefined,
});

function turn(before: readonly LedgerKey[], letters: string, rotation?: Rotation): readonly LedgerKey[] {
  const keys = letters.split("").map(key);
  return keysAfter(
    before,
    { keys },
    keys.map(({ userId }) => userId),
    9,
    rotation,
  );
}

const roles = (keys: readonly LedgerKey[]): readonly string[] =>
  keys.map((one) => `${one.armored} ${one.role}`);
const once = turn([], "A");
const overlap = turn(once, "AB", "begin");

describe("keysAfter()", () => {
  test("the first keys are those that are given", () => {
    expect(roles(once)).toEqual(["A signing"]);
    expect(roles(turn(once, "A"))).toEqual(["A signing"]);
  });

  test.each<Rotation>(["begin", "finish"])(
    "there is nothing to %s where nothing was published",
    (rotation) => {
      expect(() => turn([], "AB", rotation)).toThrow("cannot rotate: nothing was published there yet");
    },
  );

  test("a rotation has an overlap, in which both sign", () => {
    expect(roles(overlap)).toEqual(["A signing", "B signing"]);
    // In whatever order they are named, the older one signs packages.
    expect(roles(turn(once, "BA", "begin"))).toEqual(["A signing", "B signing"]);
    expect(roles(turn(overlap, "BA"))).toEqual(["A signing", "B signing"]);
  });

  test("after it the old key is still told of, and signs no more", () => {
    const after = turn(overlap, "B", "finish");
    expect(roles(after)).toEqual(["A retired", "B signing"]);
    expect(roles(signingKeys(after))).toEqual(["B signing"]);
    expect(roles(turn(after, "B"))).toEqual(["A retired", "B signing"]);
  });

  test.each([
    ["another key", once, "B", undefined, /is signed with A{40}, and A{40} is not among the given keys/],
    ["one more key without a rotation", once, "AB", undefined, /is not signed with B{40}/],
    ["one key in the overlap", overlap, "B", undefined, /and A{40} is not among the given keys/],
    ["a beginning without a new key", once, "A", "begin", /all given keys sign already/],
    ["a beginning without the old key", once, "B", "begin", /A{40} is not among the given keys/],
    ["an end that ends nothing", overlap, "AB", "finish", /found no key that would stop signing/],
    ["an end with a key that never signed", overlap, "C", "finish", /a key that does not sign yet, C{40}/],
  ] as const)("refuses %s", (_, before, letters, rotation, message) => {
    expect(() => turn(before, letters, rotation)).toThrow(message);
  });
});
