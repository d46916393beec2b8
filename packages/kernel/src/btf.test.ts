import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfFile, openElf } from "@kgraft/elf";
import { describe, expect, test } from "vitest";
import { readEnumerators, readStructLayouts } from "./btf.ts";

function compile(source: string): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-btf-"));
  try {
    writeFileSync(join(directory, "unit.c"), source);
    execFileSync("gcc", ["-gbtf", "-c", "-o", "unit.o", "unit.c"], { cwd: directory });
    return readFileSync(join(directory, "unit.o"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const open = (bytes: Uint8Array): ElfFile => openElf(bytesSource("unit.o", bytes));

const source = `
typedef unsigned short u16;
struct inner { char c; long l; };
struct outer {
  int flag:3, rest:5;
  const u16 id;
  union { int number; void *pointer; };
  struct { char first; struct inner inner; } named;
  int table[2][3];
};
union either { char c; long l; };
int use(struct outer *o, union either *e) { return o->flag + (int)e->l; }
`;

describe("readStructLayouts()", () => {
  test("agrees with the compiler on every member", () => {
    const layouts = readStructLayouts(open(compile(source)));
    expect(layouts.get("inner")).toMatchObject({ name: "struct inner", sizeBytes: 16 });
    expect(layouts.get("either")).toMatchObject({ name: "union either", sizeBytes: 8 });
    expect(layouts.get("outer")?.sizeBytes).toBe(64);
    expect(Object.fromEntries(layouts.get("outer")?.members ?? [])).toEqual({
      flag: { offsetBits: 0, sizeBits: 3, types: [] },
      rest: { offsetBits: 3, sizeBits: 5, types: [] },
      id: { offsetBits: 16, sizeBits: 16, types: [] },
      number: { offsetBits: 64, sizeBits: 32, types: [] },
      pointer: { offsetBits: 64, sizeBits: 64, types: [] },
      named: { offsetBits: 128, sizeBits: 192, types: [] },
      "named.first": { offsetBits: 128, sizeBits: 8, types: [] },
      "named.inner": { offsetBits: 192, sizeBits: 128, types: ["struct inner"] },
      table: { offsetBits: 320, sizeBits: 192, types: [] },
    });
  });

  test("names what members are, hold and point to, and what that wraps", () => {
    const text = `
      struct raw { int a, b; }; struct lock { union { struct raw inner; }; }; union either { int i; struct raw r; };
      typedef struct { int a; int b; } pair; typedef pair other; enum state { IDLE }; union later; struct list { struct list *next; };
      struct outer {
        struct lock lock; const struct lock *pointer, *many[3]; struct lock **deep; union either either; pair pair;
        const other *other; enum state state; union later *later; int (*call)(struct raw *); struct { pair p; } table[2][2];
        struct list list;
      };
      int use(struct outer *o) { return o->pair.a; }`;
    const layouts = readStructLayouts(open(compile(text)));
    const types = [...(layouts.get("outer")?.members ?? [])].map(([name, member]) => [name, ...member.types]);
    expect(types).toEqual([
      ["lock", "struct lock", "struct raw"],
      ["pointer", "struct lock *"],
      ["many", "struct lock *[]"],
      ["deep", "struct lock **"],
      ["either", "union either"],
      ["pair", "pair"],
      ["other", "pair *"],
      ["state", "enum state"],
      ["later", "union later *"],
      ["call"],
      ["table", "pair[][]"],
      ["table[][].p", "pair"],
      ["list", "struct list", "struct list *"],
    ]);
    expect(layouts.get("typedef pair")).toMatchObject({ name: "typedef pair", sizeBytes: 8 });
  });

  test("reads only what is asked for", () => {
    expect([...readStructLayouts(open(compile(source)), ["inner", "none"]).keys()]).toEqual(["inner"]);
  });

  test("rejects a file without types", () => {
    const bytes = compile("int x;");
    bytes.set(new TextEncoder().encode(".XTF"), Buffer.from(bytes).indexOf(".BTF\0"));
    expect(() => readStructLayouts(open(bytes))).toThrow("read types of unit.o: no section .BTF, wanted one");
  });

  test("rejects types that are cut off or are none", () => {
    const bytes = compile(source);
    const at = Buffer.from(bytes).indexOf(Uint8Array.of(0x9f, 0xeb, 1, 0));
    const damaged = (offset: number, value: number): ElfFile => {
      const copy = Uint8Array.from(bytes);
      new DataView(copy.buffer).setUint32(at + offset, value, true);
      return open(copy);
    };
    expect(() => readStructLayouts(damaged(0, 0))).toThrow("no BTF header");
    expect(() => readStructLayouts(damaged(12, 1 << 30))).toThrow("wanted at most");
    expect(() => readStructLayouts(damaged(28, 0x1f00_0000))).toThrow("kind 31, wanted 1 to 19");
  });
});

test("readEnumerators() agrees with the compiler, nameless enumerations included", () => {
  const text = `
    enum state { IDLE, BUSY = 5, STATES }; enum { FAR = 0x7fffffff, NEAR = -1 };
    int use(enum state s) { return s == BUSY || s == IDLE ? STATES : FAR == (long)s ? NEAR : 1; }
    enum state now; __typeof__(FAR) other;`;
  const found = readEnumerators(open(compile(text)));
  expect([...found].map(([name, { value, isLast }]) => [name, value, isLast])).toEqual([
    ["IDLE", 0n, false],
    ["BUSY", 5n, false],
    ["STATES", 6n, true],
    ["FAR", 0x7fff_ffffn, false],
    ["NEAR", -1n, true],
  ]);
});
