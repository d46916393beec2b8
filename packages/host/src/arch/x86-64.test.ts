import { expect, test } from "vitest";
import { architectureOf } from "./architecture.ts";
import { x86_64 } from "./x86-64.ts";

const address = -0x6a40a680n; // ffffffff95bf5980

test.each([
  ["a call forward", "e87bb6853a00000000", { kind: "call", target: address + 5n + 0x3a85b67bn }],
  ["a call back", "e8fbffffff00000000", { kind: "call", target: address }],
  ["a call behind endbr64", "f30f1efae8fbffffff", { kind: "call", target: address + 4n }],
  ["a call behind a sealed endbr64", "660f1f00e8fbffffff", { kind: "call", target: address + 4n }],
  ["a call behind a newer seal", "0f1f40d6e8fbffffff", { kind: "call", target: address + 4n }],
  ["a nop behind a seal", "660f1f000f1f440000", { kind: "nop" }],
  ["a nop", "0f1f44000012345678", { kind: "nop" }],
  ["a nop behind endbr64", "f30f1efa0f1f440000", { kind: "nop" }],
  ["a breakpoint", "cc1f44000012345678", { kind: "other" }],
  ["a jump", "e9fbffffff00000000", { kind: "other" }],
  ["too little", "e8fbffff", { kind: "other" }],
  ["nothing", "", { kind: "other" }],
])("x86_64.readEntry() reads %s", (_, hex, entry) => {
  expect(x86_64.readEntry(new Uint8Array(Buffer.from(hex, "hex")), address)).toEqual(entry);
});

test("architectureOf() knows its processors and no others", () => {
  expect(architectureOf(62)).toBe(x86_64);
  expect(architectureOf(40)).toBeNull();
});
