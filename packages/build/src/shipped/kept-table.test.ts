import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withElfFile } from "@kgraft/kernel/files";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keptTable } from "./kept-table.ts";
import { type KernelTable, tableOfImage, tableOfText } from "./kernel-table.ts";

const later = Date.now() + 3_600_000;
let directory: string;
let image: string;
let folder: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kgraft-kept-"));
  folder = join(directory, "tables");
  image = join(directory, "image");
  const functions = Array.from({ length: 6000 }, (_, n) => `.globl f${n}\nf${n}: ret\n`).join("");
  const list = '.section .ibt_endbr_seal,"a"\n.long f7 - .\n.long f8 - .\n';
  writeFileSync(join(directory, "a.s"), `.text\n${functions}${list}`);
  execFileSync("as", ["-o", "a.o", "a.s"], { cwd: directory });
  execFileSync("ld", ["-e0", "-o", image, "a.o"], { cwd: directory });
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The table as `kgraft delta` gets it, and whether the image was read for it. */
async function ask(
  now = later,
  read = (): KernelTable => withElfFile(image, "image", tableOfImage),
): Promise<{ readonly table: KernelTable; readonly wasRead: boolean }> {
  let wasRead = false;
  const table = await keptTable(
    image,
    folder,
    () => {
      wasRead = true;
      return read();
    },
    now,
  );
  return { table, wasRead };
}

/** All that can be asked of a table. */
function answers({ symbols, layouts, isSealed }: KernelTable): unknown {
  const all = Array.from({ length: symbols.length }, (_, index) => symbols.at(index));
  return {
    all,
    named: ["f0", "f5999", "nowhere"].map((name) => symbols.named(name)),
    functions: symbols.ofType(0),
    layouts: [...layouts],
    sealed: isSealed && all.filter(isSealed).map(({ name }) => name),
  };
}

test("keptTable() answers what the image says, without reading it again", async () => {
  const [first, second] = [await ask(), await ask()];
  expect([first.wasRead, second.wasRead]).toEqual([true, false]);
  expect(answers(second.table)).toEqual(answers(first.table));
  expect(answers(second.table)).toMatchObject({ sealed: ["f7", "f8"] });
});

test("keptTable() keeps a text's table too, of which nothing is known to be sealed", async () => {
  const text = execFileSync("readelf", ["-s", "--wide", image], { encoding: "utf8", maxBuffer: 1 << 26 });
  writeFileSync(image, text);
  const read = (): KernelTable => tableOfText("image", text);
  const [first, second] = [await ask(later, read), await ask(later, read)];
  expect([first.wasRead, second.wasRead]).toEqual([true, false]);
  expect(answers(second.table)).toEqual(answers(first.table));
  expect(second.table.isSealed).toBeUndefined();
});

test("keptTable() reads an image anew that is another one now", async () => {
  await ask();
  appendFileSync(image, "more");
  expect((await ask()).wasRead).toBe(true);
});

test("keptTable() keeps nothing of an image that has just been written", async () => {
  expect([(await ask(Date.now())).wasRead, (await ask()).wasRead]).toEqual([true, true]);
});

test.each([
  ["is damaged", "nonsense"],
  ["is empty", ""],
])("keptTable() reads the image anew where what is kept %s", async (_, content) => {
  await ask();
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), content);
  expect((await ask()).wasRead).toBe(true);
  expect((await ask()).wasRead).toBe(false);
});

test("keptTable() does without a folder", async () => {
  writeFileSync(folder, "a file");
  expect([(await ask()).wasRead, (await ask()).wasRead]).toEqual([true, true]);
});

test("keptTable() keeps the newest sixteen", async () => {
  mkdirSync(folder);
  for (let old = 0; old < 20; old++) writeFileSync(join(folder, `${old}`), "");
  await ask();
  expect(readdirSync(folder).length).toBe(16);
  expect((await ask()).wasRead).toBe(false);
});
