/** Originals are compared with the shipped kernel: equal when compiled as the distribution did, refused otherwise. */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfObject, readObject, STT_FUNC } from "@kgraft/elf";
import { type CompiledUnit, compileUnit, type KernelTree, makeArguments } from "@kgraft/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkFidelity } from "../src/shipped/fidelity.ts";
import { UnitTarget } from "../src/shipped/link-target.ts";
import { ShippedKernel, type ShippedObject } from "../src/shipped/shipped-kernel.ts";
import { testKernel } from "./kernel.ts";

/** One unit of vmlinux, one of a module, each with an option of the configuration that its code depends on. */
const units: readonly (readonly [unit: string, object: string, option: string])[] = [
  ["fs/ext4/mballoc.c", "vmlinux", "CONFIG_JUMP_LABEL"],
  ["drivers/block/loop.c", "loop", "CONFIG_BLK_CGROUP"],
];

describe.each(units)("fidelity of %s", (unit, objectName, option) => {
  let kernel: KernelTree;
  let compiled: CompiledUnit;
  let shipped: ShippedKernel;
  let object: ShippedObject;
  let directory: string;

  beforeAll(async () => {
    kernel = await testKernel();
    compiled = await compileUnit(
      kernel,
      { unit, sections: "as-shipped" },
      { signal: new AbortController().signal },
    );
    shipped = new ShippedKernel(kernel, new Map([["loop", "kernel/drivers/block/loop.ko"]]));
    object = shipped.object(objectName)!; // both are shipped
    directory = await mkdtemp(join(tmpdir(), "kgraft-fidelity-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const read = async (path: string): Promise<ElfObject> =>
    readObject(bytesSource(unit, await readFile(path)));

  /** How many of the unit's functions differ from the shipped ones, and the first difference's message. */
  function differences(asShipped: ElfObject): { differing: number; all: number; first: string | undefined } {
    const target = new UnitTarget(shipped, object, asShipped);
    const functions = asShipped.symbols.filter(
      ({ type, place }) => type === STT_FUNC && place.kind === "section" && place.section.name === ".text",
    );
    const reasons = functions.map(({ name }) => checkFidelity(unit, name, asShipped, object, target));
    const differing = reasons.filter((found) => found.length > 0);
    return { differing: differing.length, all: functions.length, first: differing[0]?.[0]?.code };
  }

  /** The unit compiled by its own command with one thing changed. */
  async function compileOtherwise(
    compiler: string,
    change: (words: readonly string[]) => readonly string[],
  ): Promise<ElfObject> {
    const path = join(directory, "unit.o");
    const words = change(compiled.command.slice(1)).map((word, index, all) =>
      all[index - 1] === "-o" ? path : word,
    );
    execFileSync(compiler, [...words.filter((word) => !word.startsWith("-Wp,-MMD")), "-w"], {
      cwd: kernel.sourceDirectory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    return read(path);
  }

  test("finds every function equal when it is compiled as the distribution did", async () => {
    expect(differences(await read(compiled.objectPath))).toMatchObject({ differing: 0 });
  });

  test("refuses another optimisation level", async () => {
    const other = await compileOtherwise(kernel.compiler.command, (words) =>
      words.map((word) => (word === "-O2" ? "-O1" : word)),
    );
    expect(differences(other)).toMatchObject({ first: "not-as-shipped" });
  });

  test("refuses one altered option of the configuration", async () => {
    const altered = join(directory, "altered.h");
    await writeFile(altered, `#undef ${option}\n`);
    const other = await compileOtherwise(kernel.compiler.command, (words) => [...words, "-include", altered]);
    expect(differences(other)).toMatchObject({ first: "not-as-shipped" });
  });

  test("refuses another compiler", async () => {
    const compiler = makeArguments(await testKernel("trixie")).find((word) => word.startsWith("CC="))!; // always given
    const other = await compileOtherwise(compiler.slice("CC=".length), (words) => words);
    expect(differences(other)).toMatchObject({ first: "not-as-shipped" });
  });
});
