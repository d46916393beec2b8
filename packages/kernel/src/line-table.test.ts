import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, findSection, openElf } from "@kgraft/elf";
import { afterAll, describe, expect, test } from "vitest";
import { readLineTables } from "./line-table.ts";
import { treeFiles } from "./units.ts";

const tree = mkdtempSync(join(tmpdir(), "kgraft-lines-"));
afterAll(() => rmSync(tree, { recursive: true }));

mkdirSync(join(tree, "fs"));
mkdirSync(join(tree, "include"));
writeFileSync(join(tree, "include/one.h"), "static inline int one(int x) { return x * 3 + 1; }\n");
writeFileSync(join(tree, "fs/a.c"), '#include "one.h"\nint a(int x) { return one(x) + 1; }\n');
writeFileSync(join(tree, "fs/b.c"), "int b(int x) { return x - 1; }\n");

function compile(format: string): Buffer {
  for (const unit of ["a", "b"]) {
    const args = [`-gdwarf-${format}`, "-O1", "-Iinclude", "-c", "-o", `${unit}.o`, `fs/${unit}.c`];
    execFileSync("gcc", args, { cwd: tree });
  }
  return readFileSync(join(tree, "a.o"));
}

/** One relocatable object of both, as a module is; or linked, as vmlinux is. */
function link(format: string, how: readonly string[]): Buffer {
  compile(format);
  execFileSync("ld", [...how, "-o", "linked", "a.o", "b.o"], { cwd: tree });
  return readFileSync(join(tree, "linked"));
}

function tables(bytes: Buffer): readonly (readonly string[])[] {
  return readLineTables(openElf(bytesSource("test", bytes))).map(treeFiles);
}

describe("readLineTables()", () => {
  describe.each(["5", "4"])("DWARF %s", (format) => {
    test.each([
      ["a relocatable file of two units", ["-r"]],
      ["a linked file", ["-e", "a"]],
      ["a linked file that keeps its relocations", ["-e", "a", "--emit-relocs"]],
    ])("%s", (_, how) => {
      const found = tables(link(format, how));
      expect(found.map((files) => files[0])).toEqual(["fs/a.c", "fs/b.c"]);
      expect(found[0]).toContain("include/one.h");
      expect(found[1]).not.toContain("include/one.h");
    });
  });

  test("none where there is no debug information", () => {
    compile("5");
    execFileSync("objcopy", ["-g", "a.o"], { cwd: tree });
    expect(tables(readFileSync(join(tree, "a.o")))).toEqual([]);
  });

  test("refuses a damaged table and never hangs", () => {
    const bytes = compile("5");
    const section = findSection(openElf(bytesSource("test", bytes)), ".debug_line")!;
    const spoil = (at: number, value: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy.writeUInt32LE(value, section.offset + at);
      return copy;
    };
    expect(() => tables(spoil(0, 0x7fffffff))).toThrow(/ends at/);
    expect(() => tables(spoil(4, 0x00080063))).toThrow(/line table version 99/);
    const outcomes = Array.from({ length: section.sizeBytes }, (_, at) => {
      const copy = Buffer.from(bytes);
      copy[section.offset + at]! ^= 0xff;
      try {
        return tables(copy).length > 0 ? "read" : "none";
      } catch (error) {
        return error instanceof Error ? error.name : "?";
      }
    });
    expect(new Set(outcomes)).toEqual(new Set(["read", "BadInput"]));
  });
});

describe("treeFiles()", () => {
  test.each([
    ["Debian's C", "debian/build/build_x", ["fs/ext4/inode.c", "debian/build/build_x/include/generated/a.h"]],
    [
      "Debian's assembly",
      "/build/linux-6.1/debian/build/build_x",
      ["/build/linux-6.1/fs/ext4/inode.c", "/build/linux-6.1/debian/build/build_x/include/generated/a.h"],
    ],
    [
      "a build in the tree",
      "/src/linux",
      ["/src/linux/fs/ext4/../ext4/inode.c", "/src/linux/include/generated/a.h"],
    ],
  ])("%s", (_, compileDirectory, files) => {
    expect(treeFiles({ compileDirectory, files })).toEqual(["fs/ext4/inode.c", "include/generated/a.h"]);
  });
});
