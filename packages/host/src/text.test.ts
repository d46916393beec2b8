import { assert as assertProperty, property, string as anyString, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { makeMachine } from "../test/machine.ts";
import { decodeUtf8, listNames, printable, readText, tasksLeftText } from "./text.ts";

const strip = (text: string): string => text.replaceAll("\ufffd", "");

test("decodeUtf8() gives back any text", () => {
  assertProperty(
    property(anyString({ unit: "grapheme", maxLength: 5000 }), (text) => {
      expect(decodeUtf8(new TextEncoder().encode(text))).toBe(text.toWellFormed());
    }),
  );
});

test("decodeUtf8() replaces what is no UTF-8, and only then", () => {
  assertProperty(
    property(uint8Array({ maxLength: 100 }), (bytes) => {
      const wanted = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      expect(strip(decodeUtf8(bytes))).toBe(strip(wanted));
      expect(decodeUtf8(bytes).includes("\ufffd")).toBe(wanted.includes("\ufffd"));
    }),
  );
});

test.each([
  ["a lead byte that there is not", [0xf9, 0x90, 0x80, 0x80]],
  ["more than Unicode has", [0xf4, 0x90, 0x80, 0x80]],
  ["too long a form", [0xe0, 0x80, 0xaf]],
  ["half a pair", [0xed, 0xa0, 0x80]],
  ["cut off", [0xf0, 0x9f, 0x98]],
])("decodeUtf8() replaces %s", (_, bytes) => {
  expect(decodeUtf8(Uint8Array.from(bytes))).toMatch(/^\ufffd+$/);
});

test("readText() and listNames() know nothing of what is gone, is a directory, or is too long", () => {
  const { system } = makeMachine({ "/a/b": "text", "/a/long": "x".repeat(100) });
  expect(readText(system, "/a/b")).toBe("text");
  expect(readText(system, "/a/gone")).toBeNull();
  expect(readText(system, "/a")).toBeNull();
  expect(readText(system, "/a/long", 99)).toBeNull();
  expect(listNames(system, "/a")).toEqual(["b", "long"]);
  expect(listNames(system, "/a/b")).toEqual([]);
});

test("printable() leaves nothing that steers a terminal", () => {
  expect(printable("a\u001b[31mb\n\u009b1mé")).toBe("a?[31mb??1mé");
});

test("tasksLeftText() uses the plural, and makes up no number", () => {
  expect([0, 1, 2, null].map(tasksLeftText)).toEqual([
    "0 tasks left",
    "1 task left",
    "2 tasks left",
    "only root can count the tasks left",
  ]);
});
