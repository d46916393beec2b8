import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytesSource,
  type ElfObject,
  ElfFormatError,
  mergeObjects,
  openElf,
  openParts,
  openSymbols,
  readBuildId,
  readObject,
  readSymbols,
  type SymbolIndex,
  symbolTable,
  sectionNamed,
  writeObject,
} from "./mod.ts";

const source = `
extern int other(int);
static int counter = 3;
int zeroed[100];
static __attribute__((noinline)) int helper(int x) { counter += x; return other(counter); }
int visible(int x) { return helper(x) + zeroed[x] + (int)(long)"a string"; }
const char *const names[] = { "one", "two" };
`;

function inFolder<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-elf-"));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function compile(text: string, ...options: string[]): Uint8Array {
  return inFolder((directory) => {
    writeFileSync(join(directory, "unit.c"), text);
    execFileSync(
      "gcc",
      ["-O2", "-falign-functions=1", "-mcmodel=kernel", "-fno-pie", ...options, "-o", "unit.o", "unit.c"],
      {
        cwd: directory,
      },
    );
    return readFileSync(join(directory, "unit.o"));
  });
}

/** What binutils sees in an object: code, relocations and symbols. */
function seenByBinutils(bytes: Uint8Array): string {
  return inFolder((directory) => {
    writeFileSync(join(directory, "unit.o"), bytes);
    const see = (tool: string, ...options: string[]): string =>
      execFileSync(tool, [...options, "unit.o"], { cwd: directory, encoding: "utf8" });
    const symbols = see("readelf", "-sW")
      .split("\n")
      .map((line) => line.trim().split(/\s+/).slice(1, 6).join(" "));
    return see("objdump", "-drs") + symbols.toSorted().join("\n");
  });
}

const read = (bytes: Uint8Array): ElfObject => readObject(bytesSource("unit.o", bytes));
const object = compile(source, "-c", "-ffunction-sections", "-fdata-sections");

describe("readObject() and writeObject()", () => {
  test("write what they read, as binutils sees it", () => {
    expect(seenByBinutils(writeObject(read(object)))).toBe(seenByBinutils(object));
  });

  test("give equal bytes for equal objects", () => {
    const once = writeObject(read(object));
    expect(writeObject(read(once))).toEqual(once);
  });

  test("keep livepatch relocations apart", () => {
    const edited = read(object);
    const text = sectionNamed(edited, ".text.helper");
    const [first, ...rest] = text?.relocations ?? [];
    if (text === undefined || first === undefined) throw new Error("helper has no relocation");
    text.relocations = rest;
    text.livepatchRelocations.push({ patchedObject: "vmlinux", relocations: [first] });
    first.symbol.place = { kind: "livepatch" };
    const again = sectionNamed(read(writeObject(edited)), ".text.helper");
    expect(again?.relocations).toHaveLength(rest.length);
    expect(again?.livepatchRelocations).toMatchObject([
      {
        patchedObject: "vmlinux",
        relocations: [{ offset: first.offset, symbol: { place: { kind: "livepatch" } } }],
      },
    ]);
  });

  test("read more sections than plain numbering has", () => {
    const functions = Array.from(
      { length: 33_000 },
      (_, index) => `f${index}: .section .text.f${index},"ax"\nnop\n`,
    );
    const many = inFolder((directory) => {
      writeFileSync(join(directory, "many.s"), functions.join(""));
      execFileSync("as", ["-o", "many.o", "many.s"], { cwd: directory });
      execFileSync("objcopy", ["--add-symbol", "last=.text.f32999:0,global", "many.o"], { cwd: directory });
      return readFileSync(join(directory, "many.o"));
    });
    const read65k = read(many);
    const last = read65k.symbols.find(({ name }) => name === "last");
    expect(read65k.sections.length).toBeGreaterThan(33_000);
    expect(last?.place).toMatchObject({ kind: "section", section: { name: ".text.f32999" } });
  });
});

function byName([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a.localeCompare(b);
}

describe("mergeObjects()", () => {
  test("joins as ld -r does", () => {
    const [a, b] = [
      compile(source, "-c"),
      compile("int visible(int);\nint other(int x) { return visible(x) + 1; }", "-c"),
    ];
    const linked = inFolder((directory) => {
      writeFileSync(join(directory, "a.o"), a);
      writeFileSync(join(directory, "b.o"), b);
      execFileSync("ld", ["-r", "-o", "linked.o", "a.o", "b.o"], { cwd: directory });
      return read(readFileSync(join(directory, "linked.o")));
    });
    const merged = read(writeObject(mergeObjects("merged.o", [read(a), read(b)])));
    const shape = (joined: ElfObject): unknown => ({
      text: sectionNamed(joined, ".text")?.data,
      relocations: sectionNamed(joined, ".text")?.relocations.map(({ offset, type, symbol, addend }) => [
        offset,
        type,
        symbol.place.kind === "section" ? symbol.place.section.name : symbol.name,
        // A section symbol and a symbol in that section reach the same place by different addends.
        symbol.value + addend,
      ]),
      globals: joined.symbols.filter(({ binding }) => binding === 1).map(({ name, value }) => [name, value]),
    });
    const sorted = shape(merged) as { globals: [string, number][] };
    const wanted = shape(linked) as { globals: [string, number][] };
    sorted.globals.sort(byName);
    wanted.globals.sort(byName);
    expect(sorted).toEqual(wanted);
  });

  test("puts instructions that do nothing between functions, as ld does", () => {
    const unit = (name: string): Uint8Array =>
      compile(`__attribute__((aligned(16))) int ${name}(int x) { return x + 1; }`, "-c");
    const merged = mergeObjects("merged.o", [read(unit("one")), read(unit("two"))]);
    const text = sectionNamed(merged, ".text");
    const [one, two] = ["one", "two"].map((name) => merged.symbols.find((symbol) => symbol.name === name));
    const gap = [...(text?.data.subarray(one!.sizeBytes, two!.value) ?? [])]; // both are defined
    expect(gap.length).toBeGreaterThan(0);
    expect(new Set(gap)).toEqual(new Set([0x90]));
  });

  test("refuses two definitions of one symbol", () => {
    expect(() => mergeObjects("merged.o", [read(object), read(object)])).toThrow(
      "cannot join objects into merged.o: symbol visible is defined twice, wanted once",
    );
  });
});

test("readBuildId() reads what the linker wrote", () => {
  const program = compile(
    "int main(void) { return 0; }",
    "-nostdlib",
    "-Wl,--build-id=0x0123456789abcdef0123",
    "-Wl,-e,main",
  );
  expect(readBuildId(openElf(bytesSource("program", program)))).toBe("0123456789abcdef0123");
});

describe("openElf(), readObject() on what is no object", () => {
  const damaged = (change: (view: DataView, bytes: Uint8Array) => void): Uint8Array => {
    const bytes = Uint8Array.from(object);
    change(new DataView(bytes.buffer), bytes);
    return bytes;
  };
  const tableOffset = Number(new DataView(object.buffer, object.byteOffset).getBigUint64(40, true));
  const headerOf = (type: number): number => {
    const file = openElf(bytesSource("unit.o", object));
    return tableOffset + file.sections.findIndex((section) => section.type === type) * 64;
  };
  const rejections: Readonly<Record<string, readonly [bytes: Uint8Array, message: string]>> = {
    "an empty file": [
      new Uint8Array(0),
      "cannot read ELF header of unit.o: it ends at byte 64, wanted at most 0",
    ],
    "another format": [new TextEncoder().encode("x".repeat(100)), "it is not an ELF file"],
    "32 bits": [damaged((view) => view.setUint8(4, 1)), "class is 1, wanted 2"],
    "big-endian": [damaged((view) => view.setUint8(5, 2)), "data encoding is 2, wanted 1"],
    "an executable": [damaged((view) => view.setUint16(16, 2, true)), "type is 2, wanted 1 (relocatable)"],
    "half a file": [object.subarray(0, object.length / 2), "cannot read"],
    "headers outside": [damaged((view) => view.setBigUint64(40, 1n << 40n, true)), "wanted at most"],
    "an offset of 2^63": [
      damaged((view) => view.setBigUint64(40, 1n << 63n, true)),
      "value is 9223372036854775808",
    ],
    "symbols of 23 bytes": [
      damaged((view) => view.setBigUint64(headerOf(2) + 56, 23n, true)),
      "cannot read symbol table of unit.o: entry size is 23, wanted 24",
    ],
    "relocations outside of their section": [
      damaged((view) => {
        const header = headerOf(4);
        view.setBigUint64(Number(view.getBigUint64(header + 24, true)), 1n << 30n, true);
      }),
      "offset is 1073741824, wanted below",
    ],
    "an alignment that is none": [
      damaged((view) => view.setBigUint64(headerOf(1) + 48, 3n, true)),
      "alignment is 3, wanted a power of two",
    ],
    "sections that share all bytes of the file": [
      damaged((view) => {
        for (const header of [headerOf(1), headerOf(4)]) {
          view.setBigUint64(header + 24, 0n, true);
          view.setBigUint64(header + 32, BigInt(object.length), true);
        }
      }),
      `wanted at most ${object.length} (the file's size)`,
    ],
    "more memory than a kernel has": [
      damaged((view) => view.setBigUint64(headerOf(8) + 32, 1n << 40n, true)),
      "size is 1099511627776, wanted at most 2147483648",
    ],
    "relocations by another table than the symbols'": [
      damaged((view) => view.setUint32(headerOf(4) + 40, 1, true)),
      "symbol table index is 1, wanted the symbol table's",
    ],
    "a symbol larger than any": [
      damaged((view) => {
        const symbols = Number(view.getBigUint64(headerOf(2) + 24, true));
        view.setBigUint64(symbols + 24 + 16, 1n << 60n, true);
      }),
      "size is 1152921504606846976, wanted at most 2^53",
    ],
    "names without an end": [
      damaged((view, bytes) => {
        const [offset, size] = [24, 32].map((at) => Number(view.getBigUint64(headerOf(3) + at, true)));
        bytes.fill(0x61, offset, offset! + size!); // two were read
      }),
      "name offset is",
    ],
  };

  test.each(Object.entries(rejections))(
    "name field, value found and value wanted: %s",
    (_, [bytes, message]) => {
      const attempt = (): unknown => read(bytes);
      expect(attempt).toThrow(ElfFormatError);
      expect(attempt).toThrow(message);
    },
  );

  test("never read more of a file than it needs: one of 3 GB that says nothing is refused by its size", () => {
    const asked: number[] = [];
    const huge = {
      name: "huge.o",
      sizeBytes: 3 * 2 ** 30,
      read: (offset: number, length: number): Uint8Array => {
        asked.push(length);
        const bytes = new Uint8Array(length);
        bytes.set(object.subarray(offset, offset + length));
        return bytes;
      },
    };
    expect(() => readObject(huge)).toThrow(
      "cannot read object of huge.o: file size is 3221225472, wanted at most",
    );
    // As an image it is read by the parts that are asked for.
    expect(readSymbols(openElf(huge)).map(({ name }) => name)).toContain("visible");
    expect(asked.every((length) => length <= object.length)).toBe(true);
  });

  test("read a section of more relocations than a call has arguments", () => {
    const bytes = inFolder((directory) => {
      writeFileSync(join(directory, "many.s"), ".data\n.rept 200000\n.quad other\n.endr\n");
      execFileSync("as", ["-o", "many.o", "many.s"], { cwd: directory });
      return readFileSync(join(directory, "many.o"));
    });
    const many = read(bytes);
    expect(sectionNamed(many, ".data")?.relocations).toHaveLength(200_000);
    const merged = mergeObjects("merged.o", [many, read(object)]);
    expect(sectionNamed(merged, ".data")?.relocations).toHaveLength(200_000);
  });

  test("find symbols by name as a look at each does, several of one name in order", () => {
    const bytes = inFolder((directory) => {
      const long = "n".repeat(100); // longer than what is hashed of a name
      const labels = [...Array.from({ length: 3000 }, (_, n) => `name${n}`), `${long}1`, `${long}2`];
      writeFileSync(
        join(directory, "a.s"),
        `.file "lib/unit.c"\n${labels.map((name) => `${name}: .byte 1\n`).join("")}`,
      );
      writeFileSync(
        join(directory, "b.s"),
        '.file "unit.c"\nname7: .byte 1\nname8: .byte 2\n.globl \u00e9\n\u00e9: .byte 3\n',
      );
      for (const unit of ["a", "b"]) execFileSync("as", ["-o", `${unit}.o`, `${unit}.s`], { cwd: directory });
      execFileSync("ld", ["-r", "-o", "both.o", "a.o", "b.o"], { cwd: directory });
      return readFileSync(join(directory, "both.o"));
    });
    const file = openElf(bytesSource("both.o", bytes));
    const [all, table] = [readSymbols(file), openSymbols(file)];
    const names = new Set([...all.map(({ name }) => name), "nowhere"]);
    for (const name of names) expect(table.named(name)).toEqual(all.filter((symbol) => symbol.name === name));
    expect(table.named("name7").map(({ index }) => index).length).toBe(2);
    const inFiles = table
      .ofFile("unit.c")
      ?.map(({ start, end }) => all.slice(start, end).map(({ name }) => name));
    expect(inFiles).toEqual([
      expect.arrayContaining(["lib/unit.c", "name0", "name2999"]),
      expect.arrayContaining(["unit.c", "name7", "name8"]),
    ]);
    expect(table.ofFile("nit.c")).toEqual([]);
    expect(symbolTable([]).ofFile("unit.c")).toBeUndefined();
  });

  test("do not read overlapping names of files for ever", () => {
    const file = {
      type: 4,
      binding: 0,
      other: 0,
      sectionIndex: 0xfff1,
      reserved: true,
      value: 0n,
      sizeBytes: 0,
    };
    const { parts } = symbolTable(
      Array.from({ length: 100_000 }, (_, index) => ({ ...file, index: index as SymbolIndex, name: "a" })),
    );
    const lying = openParts("a liar", { ...parts, names: new Uint8Array(1 << 20).fill(0x61) });
    expect(() => lying.ofFile("a")).toThrow("cannot read symbol 16 of a liar: name is longer");
  });

  test("never crash on damaged bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(object.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
        const bytes = Uint8Array.from(object);
        for (const [offset, byte] of changes) bytes[offset] = byte;
        try {
          writeObject(readObject(bytesSource("unit.o", bytes)));
          const symbols = readSymbols(openElf(bytesSource("unit.o", bytes)));
          const table = openSymbols(openElf(bytesSource("unit.o", bytes)));
          for (const { name } of symbols) table.named(name);
        } catch (error) {
          if (!(error instanceof ElfFormatError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
