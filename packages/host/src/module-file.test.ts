import { array, assert as assertProperty, nat, property, tuple } from "fast-check";
import { expect, test } from "vitest";
import { livePatchInfo, moduleFile } from "../test/module.ts";
import { readModuleInfo, readNotes } from "./module-file.ts";

test("readModuleInfo() reads name and release", () => {
  expect(readModuleInfo(moduleFile(livePatchInfo), "a.ko")).toEqual({
    name: "lp_demo",
    release: "6.1.0-55-cloud-amd64",
  });
});

const without = (key: string): readonly string[] => livePatchInfo.filter((line) => !line.startsWith(key));

test.each([
  ["livepatch missing", moduleFile(without("livepatch")), 'livepatch is "missing", wanted "Y"'],
  ["livepatch other", moduleFile([...without("livepatch"), "livepatch=N"]), 'livepatch is "N"'],
  ["name missing", moduleFile(without("name")), 'name is ""'],
  ["name a path", moduleFile([...without("name"), "name=../x"]), 'name is "../x"'],
  ["vermagic missing", moduleFile(without("vermagic")), "vermagic is missing"],
  ["empty file", new Uint8Array(), "it is no ELF file"],
  ["compressed", new Uint8Array(100).fill(0xfd), "it is no ELF file"],
  [
    "32 bits",
    Uint8Array.from(moduleFile([]), (byte, at) => (at === 4 ? 1 : byte)),
    "ELF class and order are 1 and 1",
  ],
  ["cut off", moduleFile(livePatchInfo).subarray(0, -1), "section headers end at"],
  [
    "no section",
    Uint8Array.from(moduleFile([]), (byte, at) => (at === 65 ? 0x78 : byte)),
    "no section .modinfo",
  ],
])("readModuleInfo() refuses: %s", (_, bytes, message) => {
  expect(() => readModuleInfo(bytes, "a.ko")).toThrow(
    expect.objectContaining({ name: "BadInputError", message: expect.stringContaining(message) as string }),
  );
});

test("readModuleInfo() answers or throws BadInputError for any damage", () => {
  const whole = moduleFile(livePatchInfo);
  const damage = array(tuple(nat(whole.length - 1), nat(255)), { minLength: 1, maxLength: 8 });
  assertProperty(
    property(damage, nat(whole.length), (changes, length) => {
      const bytes = Uint8Array.from(whole);
      for (const [at, value] of changes) {
        bytes[at] = value;
      }
      expect(outcome(bytes.subarray(0, length))).toMatch(/^(answered|BadInputError)$/);
    }),
    { numRuns: 2000 },
  );
});

function outcome(bytes: Uint8Array): string {
  try {
    readModuleInfo(bytes, "a.ko");
    return "answered";
  } catch (error) {
    return error instanceof Error ? error.name : "nothing";
  }
}

test("readNotes() finds none where there are none, and throws BadInputError for any damage", () => {
  const whole = moduleFile(livePatchInfo);
  expect(readNotes(whole, "a.ko")).toEqual(new Map());
  const outcomeOf = (bytes: Uint8Array): string => {
    try {
      return `${readNotes(bytes, "a.ko").size}`;
    } catch (error) {
      return error instanceof Error ? error.name : "?";
    }
  };
  assertProperty(
    property(array(tuple(nat(whole.length - 1), nat(255)), { maxLength: 8 }), (changes) => {
      const bytes = whole.slice();
      changes.forEach(([at, value]) => (bytes[at] = value));
      expect(outcomeOf(bytes)).toMatch(/^([0-3]|BadInputError)$/);
    }),
  );
});
