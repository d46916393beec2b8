import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfSymbol, openElf } from "@kgraft/elf";
import { describe, expect, test } from "vitest";
import { type KernelTable, tableOfImage, tableOfText } from "./kernel-table.ts";

const source = `
extern int outside(int);
static int table[30000];
__attribute__((weak)) int soft(int x) { return x + table[x]; }
static __attribute__((noinline, used)) int own(int x) { return outside(x); }
asm(".set fixed, 0x1234\\n.globl fixed");
__attribute__((visibility("hidden"))) int hidden(int x) { return own(x); }
`;

function compiled(): { readonly bytes: Uint8Array; readonly text: string } {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-table-"));
  try {
    writeFileSync(join(directory, "unit.c"), source);
    execFileSync("gcc", ["-c", "-O1", "-g", "-o", "unit.o", "unit.c"], { cwd: directory });
    const text = execFileSync("readelf", ["-s", "--wide", "unit.o"], { cwd: directory, encoding: "utf8" });
    return { bytes: readFileSync(join(directory, "unit.o")), text };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function symbolsOf({ symbols }: KernelTable): ElfSymbol[] {
  return Array.from({ length: symbols.length }, (_, index) => symbols.at(index));
}

describe("tableOfText()", () => {
  test("reads from the output of readelf what the image itself says", () => {
    const { bytes, text } = compiled();
    const image = symbolsOf(tableOfImage(openElf(bytesSource("unit.o", bytes))));
    // What readelf leaves out or folds into the name: visibility is of no consequence for a kernel.
    expect(symbolsOf(tableOfText("unit.sym", text))).toEqual(
      image.map((symbol) => ({ ...symbol, other: 0 })),
    );
    expect(image.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["unit.c", "own", "soft", "outside", "fixed", "hidden"]),
    );
  });

  test("passes over the table of dynamic symbols", () => {
    const line = (name: string): string =>
      `     1: 0000000000000010     4 FUNC    GLOBAL DEFAULT    1 ${name}`;
    const text = `Symbol table '.dynsym' contains 1 entry:\n${line("a")}\n\nSymbol table '.symtab' contains 1 entry:\n${line("b")}\n`;
    expect(symbolsOf(tableOfText("text", text)).map(({ name }) => name)).toEqual(["b"]);
  });

  test.each([
    ["nothing", "", "found none, wanted lines of readelf"],
    ["nm's output", "ffffffff81000000 T _text\n", "found none"],
    ["a name cut short", "  1: 0000000000000010     4 FUNC    GLOBAL DEFAULT    1 a_lo[...]", "line 1 is"],
    ["half a line", "  1: 0000000000000010     4 FUNC", "line 1 is"],
    ["an unknown binding", "  1: 0000000000000010     4 FUNC    ODD DEFAULT    1 a", "line 1 is"],
    ["an unknown section", "  1: 0000000000000010     4 FUNC    GLOBAL DEFAULT  ODD a", "line 1 is"],
  ])("refuses %s", (_, text, message) => {
    expect(() => tableOfText("text", text)).toThrow(message);
  });
});
