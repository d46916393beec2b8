import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withElfFile } from "@kgraft/kernel/files";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ParsedExports, parseSymvers } from "./exports.ts";
import { keptExports, keptTable } from "./kept.ts";
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
  writeFileSync(join(directory, "a.s"), `.file "a.c"\n.text\n${functions}own: ret\n${list}`);
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
  const table = await keptTable({
    file: image,
    folder,
    now,
    read() {
      wasRead = true;
      return read();
    },
  });
  return { table, wasRead };
}

/** All that can be asked of a table. */
function answers({ symbols, layouts, isSealed }: KernelTable): unknown {
  const all = Array.from({ length: symbols.length }, (_, index) => symbols.at(index));
  return {
    all,
    named: ["f0", "f5999", "nowhere"].map((name) => symbols.named(name)),
    files: ["a.c", "b.c"].map((name) => symbols.ofFile(name)),
    layouts: [...layouts],
    sealed: isSealed && all.filter(isSealed).map(({ name }) => name),
  };
}

test("keptTable() answers what the image says, without reading it again", async () => {
  const [first, second] = [await ask(), await ask()];
  expect([first.wasRead, second.wasRead]).toEqual([true, false]);
  expect(answers(second.table)).toEqual(answers(first.table));
  expect(answers(second.table)).toMatchObject({ files: [[{}], []], sealed: ["f7", "f8"] });
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

test("keptExports() answers what Module.symvers says, without reading it again", async () => {
  const line = (n: number): string =>
    `0x${n.toString(16).padStart(8, "0")}\tf${n}\tdrivers/x-y\tEXPORT_SYMBOL_GPL\tNS${n}\n`;
  writeFileSync(image, Array.from({ length: 6000 }, (_, n) => line(n)).join(""));
  const reads: string[] = [];
  const read = (): ParsedExports => {
    reads.push(image);
    return parseSymvers(readFileSync(image, "utf8"));
  };
  const keeping = { file: image, folder, read, now: later };
  const [first, second] = [await keptExports(keeping), await keptExports(keeping)];
  expect(reads.length).toBe(1);
  for (let n = 0; n < 6001; n++) {
    expect(second.get(`f${n}`)).toEqual(first.get(`f${n}`));
    expect(second.has(`f${n}`)).toBe(n < 6000);
  }
  expect(second.get("f10")).toEqual({ name: "f10", object: "x_y", crc: 10, namespace: "NS10" });
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

test("keptTable() keeps the newest thirty-two", async () => {
  mkdirSync(folder);
  for (let old = 0; old < 40; old++) {
    writeFileSync(join(folder, `${old}`), "");
    utimesSync(join(folder, `${old}`), old, old);
  }
  await ask();
  expect(readdirSync(folder).length).toBe(32);
  expect((await ask()).wasRead).toBe(false);
});
