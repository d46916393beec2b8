import { assert, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { parseChangelog } from "./changelog.ts";

const text = `linux (6.1.3-1) bookworm-security; urgency=high

  * New upstream stable update:
    https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.1.3
    - ext4: validate a header that is long enough for its title to go on in
      the next line (CVE-2026-12345)
    - [x86] KVM: one fix for two holes (CVE-2026-1111, CVE-2026-22222)
    - net: no number

  [ Somebody ]
  * drivers/x: our own (Closes: #1154101)

 -- Debian Kernel Team <x@example.org>  Sat, 14 Nov 2026 10:29:00 +0000

linux (6.1.2-1) bookworm; urgency=medium

  * between: counts too

 -- Debian Kernel Team <x@example.org>  Sat, 07 Nov 2026 10:29:00 +0000

linux (6.1.1-1) bookworm; urgency=medium

  * before: does not count
`;

describe("parseChangelog()", () => {
  test("gives the fixes of the versions after one, up to another", () => {
    expect(parseChangelog(text, { from: "6.1.1-1", to: "6.1.3-1" })).toEqual([
      {
        title: "ext4: validate a header that is long enough for its title to go on in the next line",
        cves: ["CVE-2026-12345"],
        version: "6.1.3-1",
      },
      {
        title: "[x86] KVM: one fix for two holes",
        cves: ["CVE-2026-1111", "CVE-2026-22222"],
        version: "6.1.3-1",
      },
      { title: "net: no number", cves: [], version: "6.1.3-1" },
      { title: "drivers/x: our own", cves: [], version: "6.1.3-1" },
      { title: "between: counts too", cves: [], version: "6.1.2-1" },
    ]);
    expect(parseChangelog(text, { from: "6.1.1-1", to: "6.1.2-1" }).map(({ title }) => title)).toEqual([
      "between: counts too",
    ]);
  });

  test("finds nothing where the version is not listed", () => {
    expect(parseChangelog(text, { from: "6.1.1-1", to: "6.1.9-1" })).toEqual([]);
  });

  test("stands any nonsense", () => {
    const header = "linux (2) x; urgency=low\n";
    assert(
      property(string({ unit: "binary", maxLength: 300 }), (nonsense) => {
        const fixes = parseChangelog(header + nonsense, { from: "1", to: "2" });
        expect(fixes.every(({ title }) => title.length <= 500)).toBe(true);
      }),
    );
    const long = `${header}  * ${"word ".repeat(100_000)}\n`;
    expect(parseChangelog(long, { from: "1", to: "2" })[0]?.title).toHaveLength(500);
  });
});
