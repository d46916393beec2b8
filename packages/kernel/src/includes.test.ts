import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { includedIn, readIncludeGraph } from "./includes.ts";
import { searchOf } from "./units.ts";

const tree = mkdtempSync(join(tmpdir(), "kgraft-includes-"));
afterAll(() => rmSync(tree, { recursive: true }));

const files = {
  "include/linux/mm.h": "#include <linux/page.h>\n",
  "include/linux/page.h": "#include <linux/mm.h>\n",
  "include/linux/off.h": "",
  "include/forced.h": "",
  "fs/own.h": "",
  "include/own.h": "",
  "fs/a.c": '#ifdef NEVER\n # include <linux/off.h>\n#endif\n#include "own.h"\n#include MACRO\n',
  "fs/b.c": "#include <linux/mm.h>\n#include <missing.h>\n#include <own.h>\n",
};
for (const [path, text] of Object.entries(files)) {
  mkdirSync(join(tree, dirname(path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}

test("readIncludeGraph() follows every include, whatever its condition", async () => {
  const search = { searched: ["include"], forced: ["include/forced.h"] };
  const { files: names, includes } = await readIncludeGraph(tree, [
    { path: "fs/a.c", ...search },
    { path: "fs/b.c", ...search },
  ]);
  const of = (path: string): readonly string[] =>
    includes[names.indexOf(path)]!.map((index) => names[index]!).toSorted((a, b) => a.localeCompare(b));
  expect(of("fs/a.c")).toEqual(["fs/own.h", "include/forced.h", "include/linux/off.h"]);
  expect(of("fs/b.c")).toEqual(["include/forced.h", "include/linux/mm.h", "include/own.h"]);
  expect(of("include/linux/mm.h")).toEqual(["include/linux/page.h"]);
});

test("includedIn() both forms, spaces allowed", () => {
  expect(includedIn('  #  include\t"a.h"\n#include <b/c.h> // x\n#define include "d.h"\n')).toEqual([
    { name: "a.h", quoted: true },
    { name: "b/c.h", quoted: false },
  ]);
});

test("searchOf() -I in both spellings, and -include", () => {
  expect(
    searchOf(["gcc", "-I./include", "-I", "./fs/xfs/libxfs", "-include", "./include/k.h", "x.c"]),
  ).toEqual({
    searched: ["include", "fs/xfs/libxfs"],
    forced: ["include/k.h"],
  });
});
