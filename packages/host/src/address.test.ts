import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatAddress, parseAddress } from "./address.ts";

test.each([
  ["ffffffff95bf5980", -0x6a40a680n],
  ["ffffffffffffffff", -1n],
  ["8000000000000000", -0x8000000000000000n],
  ["7fffffffffffffff", 0x7fffffffffffffffn],
  ["0000000000000000", 0n],
])("parseAddress() and formatAddress() of %s", (digits, address) => {
  expect(parseAddress(digits)).toBe(address);
  expect(formatAddress(address)).toBe(digits);
});

test("parseAddress() and formatAddress() agree on any 64 bits", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }), (value) => {
      const digits = value.toString(16).padStart(16, "0");
      expect(parseAddress(value.toString(16))).toBe(BigInt.asIntN(64, value));
      expect(formatAddress(BigInt.asIntN(64, value))).toBe(digits);
    }),
  );
});

test.each(["", "0x1", "12345678901234567", "g", "FF", "-1", " 1"])("parseAddress() refuses %j", (text) => {
  expect(parseAddress(text)).toBeNull();
});
