import { expect, test } from "vitest";
import { compareMembers } from "./compare-sources.ts";
import type { TarMember } from "./tar.ts";

async function* members(files: Readonly<Record<string, string>>): AsyncGenerator<TarMember> {
  for (const [path, text] of Object.entries(files)) yield { path, kind: "file", content: Buffer.from(text) };
}

test("compareMembers() changed, added and removed, in any order", async () => {
  const from = members({
    "linux-6.1/same.c": "s",
    "linux-6.1/b.c": "old",
    "linux-6.1/gone.c": "g",
    "linux-6.1/z.c": "z",
  });
  const to = members({
    "linux-6.2/z.c": "z",
    "linux-6.2/new.c": "n",
    "linux-6.2/same.c": "s",
    "linux-6.2/b.c": "new",
  });
  const changed = await compareMembers(from, to);
  expect(changed.map(({ path, old, new: fresh }) => [path, old?.toString(), fresh?.toString()])).toEqual([
    ["b.c", "old", "new"],
    ["gone.c", "g", undefined],
    ["new.c", undefined, "n"],
  ]);
});

test("compareMembers() the same twice is no difference", async () => {
  expect(await compareMembers(members({ "a/b": "c" }), members({ "x/b": "c" }))).toEqual([]);
});
