import { expect, test } from "vitest";
import { readListing } from "./listing.ts";

test("readListing() gives the primary keys, with subkeys passed over", () => {
  const listing = [
    "sec:u:4096:1:4FB78E216E7A5482:1795574509:::u:::scSC:::+:::23::0:",
    "fpr:::::::::9ABD22E6761493A56774B4BC4FB78E216E7A5482:",
    "uid:u::::1795574509::X::Example\\x3a patches <p@example.org>::::::::::0:",
    "ssb:u:4096:1:AAAAAAAAAAAAAAAA:1795574509::::::s:::+:::23:",
    "fpr:::::::::1111111111111111111111111111111111111111:",
    "sec:u:255:22:1234567812345678:1795574510:1995574510::u:::scSC:::+:::23::0:",
    "fpr:::::::::2222222222222222222222222222222222222222:",
    "uid:u::::1795574509::X::Other <o@example.org>::::::::::0:",
    "uid:u::::1795574509::X::Second name <o@example.org>::::::::::0:",
    "",
  ].join("\n");
  expect(readListing(listing)).toEqual([
    {
      fingerprint: "9ABD22E6761493A56774B4BC4FB78E216E7A5482",
      userId: "Example: patches <p@example.org>",
      sizeBits: 4096,
      created: 1795574509,
      expires: undefined,
    },
    {
      fingerprint: "2".repeat(40),
      userId: "Other <o@example.org>",
      sizeBits: 255,
      created: 1795574510,
      expires: 1995574510,
    },
  ]);
  expect(readListing("")).toEqual([]);
});
