import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, openElf, openSymbols } from "@kgraft/elf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sealedIn } from "./sealed.ts";

/** Three functions, and the list as objtool makes it: of the first and the last. */
const source = `
int one(int x) { return x; }
int two(int x) { return x * 2; }
int three(int x) { return x * 3; }`;
const list = `asm(".pushsection .ibt_endbr_seal,\\"a\\"\\n.long one - .\\n.long three - .\\n.popsection");`;

let directory: string;
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), "kgraft-sealed-"))));
afterAll(() => rmSync(directory, { recursive: true }));

/** Which functions are sealed by the file that ld makes. */
function sealed(text: string, linking: readonly string[]): (string | undefined)[] {
  const path = (name: string): string => join(directory, name);
  writeFileSync(path("unit.c"), text);
  execFileSync("gcc", [
    "-c",
    "-O2",
    "-fno-pie",
    "-fcf-protection=branch",
    "-o",
    path("unit.o"),
    path("unit.c"),
  ]);
  execFileSync("ld", [...linking, "-o", path("linked"), path("unit.o")]);
  const file = openElf(bytesSource("linked", readFileSync(path("linked"))));
  const isSealed = sealedIn(file);
  const symbols = openSymbols(file);
  return ["one", "two", "three"].filter((name) => symbols.named(name).some(isSealed));
}

test.each([
  ["an image", ["-e0"]],
  ["a module", ["-r"]],
])("sealedIn() reads the list of %s", (_, linking) => {
  expect(sealed(source + list, linking)).toEqual(["one", "three"]);
  expect(sealed(source, linking)).toEqual([]);
});
