import * as build from "@kgraft/build";
import * as elf from "@kgraft/elf";
import * as kernel from "@kgraft/kernel";
import * as lab from "@kgraft/lab";
import * as release from "@kgraft/release";
import { describe, expect, test } from "vitest";
import * as own from "./errors.ts";
import { exitCodeLines, exitCodeOf, exitCodes, isForeseen } from "./exit-codes.ts";

describe("exitCodes", () => {
  const known = new Set(exitCodes.flatMap(({ errors }) => errors));
  const rooms = { build, elf, kernel, lab, own, release };
  for (const [room, door] of Object.entries(rooms)) {
    const names = Object.entries(door)
      .filter(([, value]) => typeof value === "function" && value.prototype instanceof Error)
      .map(([name]) => name)
      // What the kernel room's errors have in common; none is thrown by that name.
      .filter((name) => name !== "KernelError");
    test(`has a code for each error of ${room}`, () => {
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !known.has(name))).toEqual([]);
    });
  }

  test("names each error once", () => {
    const names = exitCodes.flatMap(({ errors }) => errors);
    expect(names).toHaveLength(new Set(names).size);
  });
});

describe("exitCodeOf()", () => {
  const cases: readonly (readonly [string, unknown, number])[] = [
    ["an error of a room", new build.ChangeRefused([]), 2],
    ["a guest that panicked", new lab.GuestPanicked("x"), 126],
    ["no space left", Object.assign(new Error("x"), { code: "ENOSPC", syscall: "write" }), 74],
    ["an aborted call", new DOMException("x", "AbortError"), 130],
    ["what nobody thought of", new TypeError("x"), 1],
    ["what is no error", "x", 1],
  ];
  test.each(cases)("%s", (_, error, code) => expect(exitCodeOf(error)).toBe(code));
});

test("isForeseen() tells a fault of kgraft itself", () => {
  expect(isForeseen(new own.UsageError("x", "y"))).toBe(true);
  expect(isForeseen(new TypeError("x"))).toBe(false);
});

test("exitCodeLines() has a line for each code", () => {
  expect(exitCodeLines()).toHaveLength(exitCodes.length);
});
