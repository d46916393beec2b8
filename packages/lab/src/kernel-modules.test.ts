import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KernelModuleMissing } from "./errors.ts";
import { dependsOf, resolveModules } from "./kernel-modules.ts";

const modinfo = (depends: string): Buffer =>
  Buffer.from(`\x7fELF\0license=GPL\0depends=${depends}\0retpoline=Y\0`);

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kgraft-lab-test-"));
  await mkdir(join(directory, "kernel/drivers"), { recursive: true });
  await writeFile(join(directory, "modules.builtin"), "kernel/fs/ext4/ext4.ko\n");
  const files: Readonly<Record<string, Buffer>> = {
    "bottom.ko": modinfo(""),
    "left-side.ko": modinfo("bottom"),
    "right.ko.xz": execFileSync("xz", ["-c"], { input: modinfo("bottom,ext4") }),
    "top.ko.zst": zstdCompressSync(modinfo("left_side,right")),
    "ring_a.ko": modinfo("ring_b"),
    "ring_b.ko": modinfo("ring_a"),
    "lost.ko": modinfo("nowhere"),
    "torn.ko.xz": Buffer.from("no archive"),
  };
  for (const [name, contents] of Object.entries(files))
    await writeFile(join(directory, "kernel/drivers", name), contents);
});

afterAll(() => rm(directory, { recursive: true }));

test.each([
  { names: ["top"], order: ["bottom", "left_side", "right", "top"], why: "what a module needs comes first" },
  { names: ["right", "bottom"], order: ["bottom", "right"], why: "none comes twice" },
  { names: ["left-side"], order: ["bottom", "left_side"], why: "a dash is an underscore" },
  { names: ["ext4"], order: [], why: "built in" },
  { names: ["ring_a"], order: ["ring_b", "ring_a"], why: "a ring ends" },
])("resolveModules() $names: $why", async ({ names, order }) => {
  const modules = await resolveModules(directory, names);
  expect(modules.map((module) => module.name)).toEqual(order);
});

test.each([
  { name: "absent", message: /cannot load module absent: no absent\.ko in/ },
  { name: "lost", message: /cannot load module nowhere for lost/ },
  { name: "torn", message: /cannot read module .*torn\.ko\.xz/ },
])("resolveModules() refuses $name", async ({ name, message }) => {
  const error: unknown = await resolveModules(directory, [name]).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(KernelModuleMissing);
  expect(String(error)).toMatch(message);
});

test("resolveModules() refuses a directory that is not there", async () => {
  await expect(resolveModules(join(directory, "none"), ["top"])).rejects.toThrow(KernelModuleMissing);
});

test.each([
  [modinfo("a,b-c"), ["a", "b_c"]],
  [modinfo(""), []],
  [Buffer.from("xdepends=a\0"), []],
  [Buffer.alloc(0), []],
])("dependsOf() case %#", (contents, names) => {
  expect(dependsOf(contents)).toEqual(names);
});
