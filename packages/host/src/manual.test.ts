import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** What a page has an item for: commands, options, settings, variables, files, exit codes; in its order. */
function itemsOf(page: string): readonly string[] {
  const text = readFileSync(new URL(`../../../man/${page}`, import.meta.url), "utf8");
  return text.split("\n").flatMap((line) => /^\.It (?:(?:Cm|Fl|Ev|Pa) )?([^\s|]+)/.exec(line)?.[1] ?? []);
}

test("kgr(1) in Traditional Chinese has an item for each of the English page's", () => {
  const english = itemsOf("kgr.1");
  expect(english.length).toBeGreaterThan(60);
  expect(itemsOf("zh_TW/kgr.1")).toEqual(english);
});
