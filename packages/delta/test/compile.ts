/** Objects for tests: C compiled on the spot, with the options that matter of a kernel's. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfObject, readObject } from "@kgraft/elf";
import { computeDelta, type LinkTarget, type Resolution, type Verdict } from "../src/mod.ts";

const common: readonly string[] = [
  "-c -O2 -std=gnu11 -mcmodel=kernel -fno-pie -mno-red-zone -fcf-protection=none -fno-asynchronous-unwind-tables",
  "-fno-strict-aliasing -fno-common -fno-stack-protector -pg -mfentry -mrecord-mcount",
  "-ffunction-sections -fdata-sections",
].flatMap((line) => line.split(" "));

/** What a kernel's headers would say. */
const prelude = `
#define noinline __attribute__((noinline))
#define notrace __attribute__((no_instrument_function))
#define used __attribute__((used))
#define section(name) __attribute__((section(name)))
extern int printk(const char *format, ...);
extern int value(int);
#line 1 "unit.c"
`;

const compiled = new Map<string, ElfObject>();

/** @param more options for gcc, after those of every test */
export function compile(source: string, more: readonly string[] = []): ElfObject {
  const key = [...more, source].join("\0");
  const known = compiled.get(key) ?? compileNow(source, more);
  compiled.set(key, known);
  return known;
}

function compileNow(source: string, more: readonly string[]): ElfObject {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-delta-"));
  try {
    writeFileSync(join(directory, "unit.c"), prelude + source);
    execFileSync("gcc", [...common, ...more, "-o", "unit.o", "unit.c"], {
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    return readObject(bytesSource("unit.o", readFileSync(join(directory, "unit.o"))));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const hasEverything: LinkTarget["locate"] = () => ({ kind: "found", sympos: 0 });

/** A kernel that exports printk and the tracer's entry, and has everything else once. */
export function kernelTarget(change: Partial<LinkTarget> = {}): LinkTarget {
  return {
    object: "vmlinux",
    typeSizes: new Map(
      Object.entries({
        bug_entry: 12,
        exception_table_entry: 12,
        jump_entry: 16,
        alt_instr: 12,
        paravirt_patch_site: 16,
        static_call_site: 8,
        orc_entry: 6,
        lock_class_key: 0,
        ratelimit_state: 40,
      }),
    ),
    locate: hasEverything,
    isSealed: () => false,
    resolve: ({ name }): Resolution =>
      ["printk", "__fentry__"].includes(name)
        ? { kind: "exported" }
        : { kind: "livepatch", object: "vmlinux", sympos: 0 },
    ...change,
  };
}

/** What the unit itself defines lies in the kernel as its original object has it. */
function locateIn({ symbols }: ElfObject): LinkTarget["locate"] {
  const defined = new Set(
    symbols.flatMap(({ name, binding, place }) =>
      place.kind === "section" ? [`${binding === 0} ${name}`] : [],
    ),
  );
  return ({ name, local }) =>
    defined.has(`${local} ${name}`)
      ? { kind: "found", sympos: 0 }
      : { kind: "missing", why: "the original object has it not" };
}

/**
 * The verdict on one unit's source before and after. Unless the target says where symbols lie, the kernel has of the
 * unit what its original has.
 */
export function deltaOf(
  before: string,
  after: string,
  target: LinkTarget = kernelTarget(),
  options: readonly string[] = [],
): Verdict {
  const [original, patched] = [compile(before, options), compile(after, options)];
  const isTold = target.locate !== hasEverything;
  return computeDelta(original, patched, isTold ? target : { ...target, locate: locateIn(original) });
}

export type Patched = Extract<Verdict, { kind: "patched" }>;

/** The verdict, which must be that the change can be carried. */
export function patchedOf(
  before: string,
  after: string,
  target: LinkTarget = kernelTarget(),
  options: readonly string[] = [],
): Patched {
  const verdict = deltaOf(before, after, target, options);
  if (verdict.kind !== "patched") throw new Error(`wanted a patch, found ${JSON.stringify(verdict)}`);
  return verdict;
}

/** Names of the sections of the result that hold code. */
export function codeOf(verdict: Patched): string[] {
  return verdict.object.sections.map(({ name }) => name).filter((name) => name.startsWith(".text"));
}

/** Who a function of the result refers to: names of symbols, or of sections where it refers to these. */
export function referencesOf(verdict: Patched, section: string): string[] {
  const found = verdict.object.sections.filter(({ name }) => name === section);
  return found.flatMap(({ relocations }) =>
    relocations.map(({ symbol }) => {
      const original = verdict.livepatchReferences.get(symbol);
      if (original !== undefined) return `original ${original.name}`;
      if (symbol.name !== "" || symbol.place.kind !== "section") return symbol.name;
      return symbol.place.section.name;
    }),
  );
}

/** Names of the functions that the verdict replaces. */
export function replacedBy(verdict: Patched): string[] {
  return verdict.functions.map(({ name }) => name);
}
