/** What a difference engine must handle, point 5: which of several local symbols of one name is the unit's. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, openElf } from "@kgraft/elf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChangeRefused, NoFunctionalChange } from "./errors.ts";
import { type ObjectDelta, objectDelta } from "./object-delta.ts";
import { parseSymvers } from "./shipped/exports.ts";
import { type KernelTable, tableOfImage } from "./shipped/kernel-table.ts";

const options =
  "-c -O2 -w -fno-pie -mcmodel=kernel -fno-asynchronous-unwind-tables -pg -mfentry -mrecord-mcount -ffunction-sections -fdata-sections";

/** Units called inode.c, as forty of the kernel's are: each with a `show` and a `state` of its own. */
const units: Readonly<Record<string, string>> = {
  "a/inode.c": `
    static int state = 1;
    static __attribute__((noinline)) int show(int x) { return value(x) + state++; }
    static __attribute__((noinline)) int of_a(int x) { return show(x) * 2; }
    int open_a(int x) { return of_a(x) + show(x + 1); }`,
  "b/inode.c": `
    static int state = 2;
    static __attribute__((noinline)) int show(int x) { return value(x) - state--; }
    static __attribute__((noinline)) int of_b(int x) { return show(x) * 3; }
    int open_b(int x) { return of_b(x) + show(x + 1); }`,
  "rest.c": "int value(int x) { return x; }\nvoid __fentry__(void) {}\nint hidden(int x) { return x; }",
};

let directory: string;
let table: KernelTable;
let stripped: KernelTable;
let ofModule: KernelTable;

const path = (name: string): string => join(directory, name);
const compile = (name: string, text: string, ...more: string[]): Uint8Array => {
  writeFileSync(path(name), text);
  execFileSync(
    "gcc",
    [...options.split(" "), ...more.filter((word) => word !== ""), "-o", `${name}.o`, name],
    { cwd: directory },
  );
  return readFileSync(path(`${name}.o`));
};
const imageOf = (name: string): KernelTable =>
  tableOfImage(openElf(bytesSource(name, readFileSync(path(name)))));

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kgraft-object-"));
  for (const [name, text] of Object.entries(units)) {
    mkdirSync(join(path(name), ".."), { recursive: true });
    compile(name, text);
  }
  const objects = Object.keys(units).map((name) => `${name}.o`);
  // The linker puts b's functions before a's: positions are counted by address, not by order of units.
  execFileSync("ld", ["-e0", "-o", "vmlinux", ...objects.toReversed()], { cwd: directory });
  execFileSync("objcopy", ["--strip-debug", "vmlinux", "stripped"], { cwd: directory });
  table = imageOf("vmlinux");
  stripped = imageOf("stripped");
  // What modpost adds to each module.
  execFileSync("ld", ["-r", "--defsym=__this_module=0", "-o", "module", ...objects], { cwd: directory });
  ofModule = imageOf("module");
});
afterAll(() => rmSync(directory, { recursive: true }));

function delta(unit: string, change: (text: string) => string, more: object = {}): ObjectDelta {
  const text = units[unit] ?? "";
  // Both sides are compiled under the unit's own name: the symbol table tells units by it.
  const original = { name: "before.o", bytes: compile(unit, text) };
  const patched = { name: "after.o", bytes: compile(unit, change(text)) };
  return objectDelta({ original, patched, object: "vmlinux", table, ...more });
}

describe("objectDelta() point 5, local symbols", () => {
  test.each([
    ["a/inode.c", 2],
    ["b/inode.c", 1],
  ])("of %s are those of its own block in the shipped table", (unit, sympos) => {
    const { functions, livepatchSymbols } = delta(unit, (text) => text.replace("value(x)", "value(x + 5)"));
    expect(functions).toMatchObject([{ name: "show", sympos }]);
    expect(livepatchSymbols).toContain(`.klp.sym.vmlinux.state,${sympos}`);
  });

  test("are refused where the table cannot tell: it has no names of files, and two of that name", () => {
    expect(() =>
      delta("a/inode.c", (text) => text.replace("value(x)", "value(x + 5)"), { table: stripped }),
    ).toThrow(
      expect.objectContaining({
        reasons: expect.arrayContaining([
          expect.objectContaining({ code: "ambiguous-symbol", subject: "show" }),
        ]),
      }),
    );
  });

  test("are found without names of files where there is one of the name only", () => {
    const change = (text: string): string => text.replace("* 2", "* 4").replace("show(x) *", "value(x) *");
    expect(delta("a/inode.c", change, { table: stripped }).functions).toMatchObject([
      { name: "of_a", sympos: 0 },
    ]);
  });

  test("are refused where no unit of the table has all of its functions", () => {
    const other = "static __attribute__((noinline)) int more(int x) { return value(x) * value(x + 1); }\n";
    const [before, after] = [1, 2].map((n) =>
      compile(
        "b/inode.c",
        `${other}static __attribute__((noinline)) int show(int x) { return more(x) + ${n}; }\nint open_c(int x) { return show(x) + more(x); }`,
      ),
    );
    const request = {
      object: "vmlinux",
      table,
      original: { name: "before.o", bytes: before! },
      patched: { name: "after.o", bytes: after! },
    };
    expect(() => objectDelta(request)).toThrow(ChangeRefused);
  });
});

describe("objectDelta() of names", () => {
  const exported = parseSymvers(
    "0x12345678\tvalue\tvmlinux\tEXPORT_SYMBOL\t\n0x12345678\telsewhere\tdrivers/other-one\tEXPORT_SYMBOL\t\n",
  );

  test("that are exported are left to the module loader", () => {
    const change = (text: string): string => text.replace("value(x)", "value(x + 5)");
    const { imports, livepatchSymbols } = delta("a/inode.c", change, { exports: exported });
    expect(imports).toEqual(["value"]);
    expect(livepatchSymbols).not.toContain(".klp.sym.vmlinux.value,0");
  });

  test("that another module exports: a module may need it, vmlinux may not", () => {
    const change = (text: string): string => text.replace("value(x)", "value(x) + elsewhere(x)");
    const module = { object: "one-module.ko", table: ofModule };
    expect(delta("a/inode.c", change, { exports: exported, ...module }).imports).toContain("elsewhere");
    expect(() => delta("a/inode.c", change, { exports: exported })).toThrow(ChangeRefused);
  });

  test("that are not exported are left to the livepatch core", () => {
    const { livepatchSymbols } = delta("a/inode.c", (text) => text.replace("value(x)", "hidden(x + 5)"), {
      exports: exported,
    });
    expect(livepatchSymbols).toContain(".klp.sym.vmlinux.hidden,0");
  });

  test("that are nowhere are left to another unit where that is asked for, with a warning", () => {
    const { imports, warnings } = delta("a/inode.c", (text) => text.replace("value(x)", "lost(x + 5)"), {
      leaveUndefined: true,
    });
    expect(imports).toContain("lost");
    expect(warnings).toEqual([expect.objectContaining({ code: "unknown-symbol", subject: "lost" })]);
  });

  test("that are nowhere are refused", () => {
    expect(() => delta("a/inode.c", (text) => text.replace("value(x)", "lost(x + 5)"))).toThrow(
      expect.objectContaining({
        reasons: [expect.objectContaining({ code: "unknown-symbol", subject: "lost" })],
      }),
    );
  });
});

test("objectDelta() refuses the table of another object", () => {
  const change = (text: string): string => text.replace("value(x)", "value(x + 5)");
  expect(() => delta("a/inode.c", change, { table: ofModule })).toThrow("the table is a module's");
  expect(() => delta("a/inode.c", change, { object: "loop" })).toThrow("the table is no module's");
});

test("objectDelta() says so where no function does anything else", () => {
  expect(() => delta("a/inode.c", (text) => `\n\n${text}`)).toThrow(NoFunctionalChange);
});

test("objectDelta() carries what is new where another unit may call it, and nothing else", () => {
  const fresh = (binding: string) => (text: string) =>
    `${binding} int fresh(int x) { return value(x) * value(x + 1); }\n${text}`;
  expect(delta("a/inode.c", fresh(""))).toMatchObject({ functions: [], added: ["fresh"] });
  expect(() => delta("a/inode.c", fresh("static __attribute__((used))"))).toThrow(NoFunctionalChange);
});

describe("objectDelta() asks the unit's own types, where a module's image has none,", () => {
  const macro = "({ static struct ratelimit_state _rs = { 5 }; limited(&_rs); })";
  const unit = (n: number): string => `
    struct ratelimit_state { long interval, rest[4]; };
    int limited(struct ratelimit_state *);
    int rated(int x) { if (${macro}) x++; if (${macro}) x += 2; return value(x) * ${n}; }`;
  const carried = (more: string): ObjectDelta => {
    const [original, patched] = [3, 5].map((n) => ({
      name: "unit.o",
      bytes: compile("rated.c", unit(n), more),
    }));
    execFileSync("ld", ["-r", "--defsym=__this_module=0", "-o", "rated", "rated.c.o"], { cwd: directory });
    const request = { object: "rated", table: imageOf("rated"), leaveUndefined: true };
    return objectDelta({ original: original!, patched: patched!, ...request }); // both were made above
  };

  test("which of its variables are a macro's", () => {
    expect(carried("-gbtf").functions).toMatchObject([{ name: "rated" }]);
  });

  test("and takes none for one without them", () => {
    expect(() => carried("")).toThrow(
      expect.objectContaining({
        reasons: ["_rs.0", "_rs.1"].map((subject) =>
          expect.objectContaining({ code: "ambiguous-static", subject }),
        ),
      }),
    );
  });
});

test("objectDelta() gives equal bytes for equal input", () => {
  const once = (): Uint8Array => delta("b/inode.c", (text) => text.replace("value(x)", "value(x + 5)")).bytes;
  expect(once()).toEqual(once());
});
