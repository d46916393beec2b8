import { ChangeRefused } from "@kgraft/build";
import { GuestFileFailed, QemuMissing } from "@kgraft/lab";
import { expect, test } from "vitest";
import { errorDocument, errorLines } from "./complaint.ts";
import { width } from "./format.ts";
import { makeStyle } from "./style.ts";

const refused = new ChangeRefused([
  {
    code: "init",
    unit: "a.c",
    subject: "setup_a",
    message: "setup_a ran at boot and is gone",
    hint: "leave it out",
  },
  { code: "unsupported-file", unit: "b.S", subject: "b.S", message: "b.S is assembly" },
]);

test("errorLines() tells the message and, set in, what to type", () => {
  expect(errorLines(new QemuMissing("cannot boot a guest: no QEMU"), 80, makeStyle(false))).toEqual([
    "kgraft: cannot boot a guest: no QEMU",
    "        apt-get install qemu-system-x86",
  ]);
});

test("errorLines() tells every reason of a refusal", () => {
  const text = errorLines(refused, 80, makeStyle(false)).join("\n");
  for (const part of ["2 reasons", "a.c: setup_a", "ran at boot", "leave it out", "b.S is assembly"]) {
    expect(text).toContain(part);
  }
});

test.each([40, 80, 200])("errorLines() wraps reasons at %d columns", (columns) => {
  const long = new ChangeRefused([
    { code: "x", unit: "a.c", subject: "f", message: "word ".repeat(80), hint: "word ".repeat(80) },
  ]);
  const lines = errorLines(long, columns, makeStyle(true)).filter((line) => line.includes("word"));
  expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(columns);
});

test("errorLines() puts words in place of what a room quotes from the operating system", () => {
  const cause = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  const failed = new GuestFileFailed(`cannot write temporary file for the guest in /tmp: ${String(cause)}`, {
    cause,
  });
  expect(errorLines(failed, 200, makeStyle(false))[0]).toBe(
    "kgraft: cannot write temporary file for the guest in /tmp: no space is left on the device",
  );
});

test("errorLines() shows where a fault of kgraft itself comes from", () => {
  const text = errorLines(new TypeError("x is undefined"), 80, makeStyle(false)).join("\n");
  expect(text).toContain("fault of kgraft itself");
  expect(text).toContain("complaint.test.ts");
});

test("errorLines() passes no orders on to the terminal", () => {
  const lines = errorLines(new QemuMissing("a\u001b[2Jb"), 80, makeStyle(false));
  expect(lines[0]).toBe("kgraft: a\\x1b[2Jb");
});

test("errorDocument() has name, message, hint, exit code and reasons", () => {
  expect(errorDocument(refused)).toEqual({
    error: {
      name: "ChangeRefused",
      message: "cannot make a live patch of this change: 2 reasons",
      exitCode: 2,
      reasons: refused.reasons,
    },
  });
  expect(errorDocument(new QemuMissing("x")).error).toMatchObject({
    hint: "apt-get install qemu-system-x86",
    exitCode: 69,
  });
});
