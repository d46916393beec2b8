import { type ElfSymbol, symbolTable } from "@kgraft/elf";
import { describe, expect, test } from "vitest";
import { SymbolIndex } from "./symbol-index.ts";

const STT = { object: 1, func: 2, file: 4 } as const;

function table(
  ...rows: readonly (readonly [name: string, value: number, kind?: keyof typeof STT, binding?: number])[]
): ElfSymbol[] {
  return rows.map(([name, value, kind = "func", binding = 0], index) => ({
    index: index as ElfSymbol["index"],
    name,
    binding,
    type: STT[kind],
    other: 0,
    sectionIndex: kind === "file" ? 0xfff1 : 1,
    reserved: kind === "file",
    value: BigInt(value),
    sizeBytes: 4,
  }));
}

describe("SymbolIndex", () => {
  const symbols = table(
    ["inode.c", 0, "file"],
    ["show", 0x300],
    ["only_here", 0x340],
    ["inode.c", 0, "file"],
    ["show", 0x100],
    ["__kstrtab_show", 0x50, "object"],
    ["show", 0x200, "object", 1],
  );

  test("symposOf() counts by address where kallsyms is sorted by it", () => {
    const index = new SymbolIndex(symbolTable(symbols), "address");
    const [second, first] = index
      .localsOfFiles("inode.c")
      .map((locals) => locals.find(({ name }) => name === "show"));
    expect([first, index.global("show"), second].map((symbol) => symbol && index.symposOf(symbol))).toEqual([
      1, 2, 3,
    ]);
  });

  test("symposOf() counts by place in the table for a module", () => {
    const index = new SymbolIndex(symbolTable(symbols), "table");
    const [first, second] = index
      .localsOfFiles("inode.c")
      .map((locals) => locals.find(({ name }) => name === "show"));
    expect([first, second, index.global("show")].map((symbol) => symbol && index.symposOf(symbol))).toEqual([
      1, 2, 3,
    ]);
  });

  test("symposOf() is 0 for a name that occurs once", () => {
    const index = new SymbolIndex(symbolTable(symbols), "address");
    const only = index.localsOfFiles("inode.c")[0]?.find(({ name }) => name === "only_here");
    expect(only && index.symposOf(only)).toBe(0);
  });

  test("localsOfFiles() finds files in a table that the kernel's own is stripped of", () => {
    const stripped = symbols
      .filter(({ name }) => name !== "inode.c")
      .map((symbol, index) => ({ ...symbol, index: index as ElfSymbol["index"] }));
    const index = new SymbolIndex(symbolTable(stripped), "table", symbolTable(symbols));
    expect(index.localsOfFiles("inode.c").map((locals) => locals.map(({ name }) => name))).toEqual([
      ["show", "only_here"],
      ["show"],
    ]);
    expect(stripped).toContainEqual(index.localsOfFiles("inode.c")[0]?.[0]);
  });
});
