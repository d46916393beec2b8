/**
 * Bad input: real objects with bytes changed at random, through the reader, the engine and the writer. Whatever comes
 * in, a verdict comes out or an ElfFormatError. KGRAFT_FUZZ_RUNS makes it go on for longer.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, ElfFormatError, openElf, readObject, writeObject } from "@kgraft/elf";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kernelTarget } from "../test/compile.ts";
import { applyLivepatchReferences, computeDelta } from "./mod.ts";

const runs = Number(process.env["KGRAFT_FUZZ_RUNS"] ?? 300);

/** A unit with something of everything: strings, tables, statics, several functions of one section. */
const unit = (n: number): string => `
  extern int printk(const char *, ...), value(int);
  static int state = 3; static const int table[] = { 1, 2, 3, 4 }; int zero[40];
  static const char *const names[] = { "one", "two", "three" };
  #define bug asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n.long 1b - ., 0\\n.word 7, 0\\n.popsection");
  #define fast asm volatile("661: nop\\n662:\\n.pushsection .altinstructions,\\"a\\"\\n.long 661b - .\\n.long 663f - .\\n" \\
    ".word 7\\n.byte 662b-661b, 664f-663f\\n.popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n663: stc\\n664:\\n.popsection");
  static __attribute__((noinline, section(".sched.text"))) int inner(int x) { bug; return value(x) + table[x & 3]; }
  __attribute__((section(".sched.text"))) int outer(int x) { fast; return inner(x) * ${n} + inner(x + 1); }
  int speak(int x) { static int calls; if (x == 9) bug; calls++; printk("%s %d\\n", names[x], calls); return state += zero[x]; }
  int changed(int x) { switch (x) { case 0: return value(1); case 1: return printk("a"); case 2: return value(3);
    case 3: return value(4) + ${n}; case 4: return printk("b"); case 5: return value(6); } return value(x + ${n}); }`;

function compiled(n: number): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-fuzz-"));
  try {
    writeFileSync(join(directory, "unit.c"), unit(n));
    const options =
      "-c -O2 -w -mcmodel=kernel -fno-pie -pg -mfentry -mrecord-mcount -ffunction-sections -fdata-sections";
    execFileSync("gcc", [...options.split(" "), "-o", "unit.o", "unit.c"], { cwd: directory });
    return readFileSync(join(directory, "unit.o"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const before = compiled(1);
const after = compiled(2);

/** What comes out: the kind of verdict, or the message of the one error that is meant to be thrown. */
function outcome(original: Uint8Array, patched: Uint8Array): string {
  try {
    const [from, to] = [original, patched].map((bytes) => readObject(bytesSource("unit.o", bytes)));
    const verdict = computeDelta(from!, to!, kernelTarget({ typeSizes: new Map() })); // two were read
    if (verdict.kind === "patched") {
      applyLivepatchReferences(verdict.object, verdict.livepatchReferences);
      readObject(bytesSource("out.o", writeObject(verdict.object)));
    }
    return verdict.kind;
  } catch (error) {
    if (error instanceof ElfFormatError) return error.message;
    throw error;
  }
}

interface Damage {
  readonly at: number;
  readonly bytes: Uint8Array;
}

function damaged(object: Uint8Array, damages: readonly Damage[]): Uint8Array {
  const copy = Uint8Array.from(object);
  for (const { at, bytes } of damages) copy.set(bytes.subarray(0, Math.max(copy.length - at, 0)), at);
  return copy;
}

const file = openElf(bytesSource("unit.o", before));
const headersAt = Number(new DataView(before.buffer, before.byteOffset).getBigUint64(40, true));
const tables = file.sections.filter(({ name }) => /^\.(symtab|rela)/.test(name));

/** Bytes where they hurt: in headers, symbols and relocations. */
const place: fc.Arbitrary<number> = fc.oneof(
  fc.nat(before.length - 1),
  fc.nat(63),
  fc.nat(file.sections.length * 64 - 1).map((offset) => headersAt + offset),
  fc
    .tuple(fc.constantFrom(...tables), fc.nat())
    .map(([{ offset, sizeBytes }, at]) => offset + (at % Math.max(sizeBytes, 1))),
);
const numbers = [
  0n,
  1n,
  2n,
  0x7fn,
  0xffn,
  0xff00n,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 63n,
  (1n << 64n) - 1n,
];
const value: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 8 }),
  fc.tuple(fc.constantFrom(...numbers), fc.constantFrom(1, 2, 4, 8)).map(([number, size]) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, number, true);
    return bytes.subarray(0, size);
  }),
);
const damages: fc.Arbitrary<Damage[]> = fc.array(fc.record({ at: place, bytes: value }), {
  minLength: 1,
  maxLength: 4,
});

describe("readObject() and computeDelta() on damaged objects", () => {
  test("the objects are good before they are damaged", () => {
    expect(outcome(before, before)).toBe("unchanged");
    expect(outcome(before, after)).toBe("patched");
  });

  test("bytes changed at random: a verdict or an ElfFormatError", () => {
    fc.assert(
      fc.property(damages, fc.boolean(), (all, first) => {
        const said = first ? outcome(damaged(before, all), after) : outcome(before, damaged(after, all));
        return said !== "";
      }),
      { numRuns: runs },
    );
  });

  test("the same damage in both", () => {
    fc.assert(
      fc.property(damages, (all) => outcome(damaged(before, all), damaged(after, all)) !== ""),
      { numRuns: runs },
    );
  });

  test("an object beside itself, however damaged: never a patch", () => {
    fc.assert(
      fc.property(damages, (all) => outcome(damaged(after, all), damaged(after, all)) !== "patched"),
      { numRuns: runs },
    );
  });

  test("cut at every section's start and end", () => {
    const cuts = file.sections.flatMap(({ offset, sizeBytes, type }) =>
      type === 8 ? [] : [offset, offset + sizeBytes],
    );
    const ends = new Set([...cuts, 0, 1, 63, 64, headersAt, headersAt + 63, before.length - 1]);
    const said = [...ends.difference(new Set([before.length]))].map((end) =>
      outcome(before.subarray(0, end), after),
    );
    expect(said.filter((message) => !/^cannot read .* of unit\.o: .*wanted/.test(message))).toEqual([]);
  });

  test("every field of every header, with each of the numbers that go wrong", () => {
    const fields: readonly (readonly [at: number, size: number])[] = [
      ...([
        [16, 2],
        [18, 2],
        [20, 4],
        [24, 8],
        [32, 8],
        [40, 8],
        [48, 4],
        [52, 2],
        [54, 2],
        [56, 2],
        [58, 2],
        [60, 2],
        [62, 2],
      ] as const),
      ...file.sections.flatMap(({ index }) =>
        (
          [
            [0, 4],
            [4, 4],
            [8, 8],
            [16, 8],
            [24, 8],
            [32, 8],
            [40, 4],
            [44, 4],
            [48, 8],
            [56, 8],
          ] as const
        ).map(([at, size]) => [headersAt + index * 64 + at, size] as const),
      ),
    ];
    const bytesOf = new Uint8Array(8);
    for (const [at, size] of fields) {
      for (const number of [0n, 1n, 3n, 0xffn, 0x7fffffffn, BigInt(before.length), (1n << 64n) - 1n]) {
        new DataView(bytesOf.buffer).setBigUint64(0, number, true);
        expect(outcome(damaged(before, [{ at, bytes: bytesOf.subarray(0, size) }]), after)).toMatch(
          /^(unchanged|patched|refused|cannot .* (unit|out)\.o.*wanted .*)$/,
        );
      }
    }
  });
});
