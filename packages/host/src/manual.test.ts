import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { optionWords } from "./arguments.ts";
import { allCommands } from "./commands.ts";
import { exitCodes } from "./errors.ts";

const pages = ["kgr.1", "zh_TW/kgr.1"] as const;

function linesOf(page: string): readonly string[] {
  return readFileSync(new URL(`../../../man/${page}`, import.meta.url), "utf8").split("\n");
}

/** What a page has an item for: commands, options, settings, variables, files, exit codes; in its order. */
function itemsOf(page: string): readonly string[] {
  return linesOf(page).flatMap((line) => /^\.It (?:(?:Cm|Fl|Ev|Pa) )?([^\s|]+)/.exec(line)?.[1] ?? []);
}

/** The lines that are shown as they are typed and answered. */
function examplesOf(page: string): readonly string[] {
  const text = linesOf(page).join("\n");
  return [...text.matchAll(/^\.Bd -literal.*\n([^]*?)^\.Ed$/gm)].flatMap(([, block = ""]) =>
    block.split("\n"),
  );
}

test("kgr(1) in Traditional Chinese has an item for each of the English page's", () => {
  const english = itemsOf("kgr.1");
  expect(english.length).toBeGreaterThan(60);
  expect(itemsOf("zh_TW/kgr.1")).toEqual(english);
});

test("kgr(1) in Traditional Chinese has the same commands in its examples", () => {
  const typed = (page: string): readonly string[] => examplesOf(page).filter((line) => /^[#$] /.test(line));
  expect(typed("zh_TW/kgr.1")).toEqual(typed("kgr.1"));
});

describe.each(pages)("%s", (page) => {
  test("has each command once, with its options and no others", async () => {
    const lines = linesOf(page).filter((line) => line.startsWith(".It Cm "));
    for (const { name, options } of await allCommands()) {
      const own = lines.filter((line) => line.split(" ")[2] === name);
      const written = [...own.join(" ").matchAll(/\bFl (-?[\w-]+)/g)].map(([, word]) => `-${word}`);
      // One of an option's forms is enough, and nothing else may stand there.
      const forms = options.map((option) => optionWords(option).find((word) => written.includes(word)));
      const known = new Set(options.flatMap(optionWords));
      const others = written.filter((word) => !known.has(word));
      expect({ name, times: own.length, forms, others }).toEqual({
        name,
        times: 1,
        forms: forms.filter((form) => form !== undefined),
        others: [],
      });
    }
  });

  test("has each exit code and no other", () => {
    const text = linesOf(page).join("\n");
    const section = text.slice(text.search(/^\.Sh (?:EXIT STATUS|結束代碼)$/m)).split("\n.Sh ")[0] ?? "";
    const written = [...section.matchAll(/^\.It (\d+)$/gm)].map(([, code]) => Number(code));
    // Beside what errors end with: done, what verify cannot tell, and a mistake in kgr itself.
    const wanted = new Set([0, 7, 70, ...Object.values(exitCodes)]);
    expect(written).toEqual([...wanted].toSorted((a, b) => a - b));
  });

  test("has an example of each command that a person types", async () => {
    const typed = examplesOf(page).flatMap((line) => line.match(/\bkgr [^;&|)]+/g) ?? []);
    const shown = new Set(typed.flatMap((text) => text.split(" ")));
    const missing = (await allCommands()).filter(({ name }) => !shown.has(name)).map(({ name }) => name);
    expect(missing).toEqual(["boot"]); // systemd and the initramfs do
  });
});
