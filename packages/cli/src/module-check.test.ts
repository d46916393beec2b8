import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ModuleUnfit } from "./errors.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { checkModule } from "./module-check.ts";

const directory = mkdtempSync(join(tmpdir(), "kgraft-module-check-"));
afterAll(() => rmSync(directory, { recursive: true }));
const { signal } = new AbortController();

function compile(source: string, ...options: readonly string[]): Buffer {
  const output = join(directory, "compiled");
  execFileSync("gcc", ["-x", "c", ...options, "-o", output, "-"], { input: source });
  return readFileSync(output);
}

function moduleOf(...entries: readonly string[]): Buffer {
  const text = entries.map((entry) => `${entry}\\0`).join("");
  return compile(`char info[] __attribute__((section(".modinfo"))) = "${text}";`, "-c");
}

const whole = moduleOf("license=GPL", "vermagic=6.1.0-55-cloud-amd64 SMP mod_unload ");

const cases: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
  ["empty file", Buffer.alloc(0), /it is empty/],
  ["text", Buffer.from("hello\n"), /it is no ELF file, wanted a kernel module/],
  ["four bytes of a header", whole.subarray(0, 4), /damaged or cut off: .*ELF header/],
  ["half a module", whole.subarray(0, whole.length / 2), /damaged or cut off: .*section header/],
  ["module without its last byte", whole.subarray(0, -1), /damaged or cut off/],
  ["program", compile("int main(void) { return 0; }"), /its ELF type is [23], wanted 1/],
  ["object file", compile("int x;", "-c"), /no section \.modinfo/],
  ["module without vermagic", moduleOf("license=GPL"), /names no vermagic/],
  [
    "module of another release",
    moduleOf("vermagic=6.1.0-54-cloud-amd64 SMP"),
    /made for kernel 6\.1\.0-54-cloud-amd64, wanted 6\.1\.0-55-cloud-amd64$/,
  ],
];

describe("checkModule() refuses with 65 and a hint", () => {
  test.each(cases)("%s", async (what, bytes, message) => {
    const path = join(directory, `${what}.ko`);
    writeFileSync(path, bytes);
    const failure = await checkModule(path, "6.1.0-55-cloud-amd64", signal).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ModuleUnfit);
    expect((failure as ModuleUnfit).message).toMatch(message);
    expect((failure as ModuleUnfit).message).toContain(`cannot load ${path}: `);
    expect((failure as ModuleUnfit).hint).not.toBe("");
    expect(exitCodeOf(failure)).toBe(65);
  });
});

test("checkModule() takes a module of this release", async () => {
  const path = join(directory, "whole.ko");
  writeFileSync(path, whole);
  await expect(checkModule(path, "6.1.0-55-cloud-amd64", signal)).resolves.toBeUndefined();
});
