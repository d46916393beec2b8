import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { errorDocument, errorLines } from "./complaint.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { makeStyle } from "./style.ts";
import { isSystemError, matterOf } from "./system-error.ts";

const directory = mkdtempSync(join(tmpdir(), "kgraft-system-error-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = join(directory, "file");
writeFileSync(file, "");

function failureOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

/** As Node makes them, for what cannot be brought about by everyone everywhere. */
function made(code: string, syscall: string, more: object = {}): Error {
  return Object.assign(new Error(`${code}: bare text, ${syscall}`), { code, syscall, ...more });
}

const cases: readonly (readonly [error: unknown, message: string, hint: RegExp])[] = [
  [
    failureOf(() => writeFileSync("/dev/full", "x")),
    "cannot write a file: no space is left on the device",
    /free some space.*another file system/,
  ],
  [
    failureOf(() => readFileSync(`${file}-gone`)),
    `cannot open ${file}-gone: it is not there`,
    /check the path/,
  ],
  [
    failureOf(() => readFileSync(directory)),
    "cannot read a file: it is a directory, wanted a file",
    /check the path/,
  ],
  [
    failureOf(() => readdirSync(file)),
    `cannot read ${file}: a part of the path is a file, wanted a directory`,
    /check the path/,
  ],
  [
    made("EROFS", "mkdir", { path: "/ro/out" }),
    "cannot write /ro/out: the file system is read-only",
    /name a directory/,
  ],
  [made("EACCES", "open", { path: "/root/x" }), "cannot open /root/x: permission is denied", /who may read/],
  [
    made("ENOSPC", "rename", { path: "/a", dest: "/b" }),
    "cannot write /b: no space is left on the device",
    /free some space/,
  ],
  [made("EDQUOT", "write"), "cannot write a file: the disk quota is used up", /free some space/],
  [made("ENOENT", "spawn tar", { path: "tar" }), "cannot run tar: it is not there", /check the path/],
  [
    made("EXDEV", "link", { errno: -18 }),
    "cannot write a file: cross-device link not permitted (EXDEV)",
    /errno/,
  ],
  [made("EODD", "ioctl"), "cannot do ioctl: EODD: bare text, ioctl (EODD)", /errno/],
];

describe("an error of the operating system is told in words", () => {
  test.each(cases)("%s", (error, message, hint) => {
    expect(errorDocument(error).error).toEqual({
      name: "SystemError",
      message,
      hint: expect.stringMatching(hint) as unknown,
      exitCode: 74,
    });
    const [first, ...rest] = errorLines(error, 200, makeStyle(false));
    expect(first).toBe(`kgraft: ${message}`);
    expect(rest.join("\n")).toMatch(hint);
    expect(exitCodeOf(error)).toBe(74);
  });
});

test("isSystemError() takes no other error", () => {
  expect(isSystemError(new TypeError("x"))).toBe(false);
  expect(isSystemError(Object.assign(new Error("x"), { code: "ERR_INVALID_ARG_TYPE" }))).toBe(false);
  expect(matterOf(new TypeError("x"))).toBeUndefined();
});
