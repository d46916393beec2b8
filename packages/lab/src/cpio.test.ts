import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { type CpioEntry, writeCpio } from "./cpio.ts";

const entries: readonly CpioEntry[] = [
  { kind: "directory", path: "bin", mode: 0o755 },
  { kind: "file", path: "bin/tool", mode: 0o755, contents: Buffer.from("12345") },
  { kind: "file", path: "a/b/c/empty", mode: 0o600, contents: new Uint8Array() },
  { kind: "link", path: "bin/alias", target: "tool" },
  { kind: "device", path: "dev/null", mode: 0o666, major: 1, minor: 3 },
];

/** What GNU cpio reads in the archive. */
function list(archive: Uint8Array): string[] {
  const text = execFileSync("cpio", ["--list", "--verbose", "--numeric-uid-gid", "--quiet"], {
    input: archive,
  });
  const lines = text.toString().trim().split("\n");
  return lines.map((line) =>
    line.replace(/^(\S+) +\d+ +\d+ +\d+ +(\d+(?:, +\d+)?) .*?(\S+(?: -> \S+)?)$/, "$1 $2 $3"),
  );
}

test("writeCpio() is read by cpio, each directory before what is in it", () => {
  expect(list(writeCpio(entries))).toEqual([
    "drwxr-xr-x 0 bin",
    "-rwxr-xr-x 5 bin/tool",
    "drwxr-xr-x 0 a",
    "drwxr-xr-x 0 a/b",
    "drwxr-xr-x 0 a/b/c",
    "-rw------- 0 a/b/c/empty",
    "lrwxrwxrwx 4 bin/alias -> tool",
    "drwxr-xr-x 0 dev",
    "crw-rw-rw- 1,   3 dev/null",
  ]);
});

test("writeCpio() gives the same bytes for the same entries", () => {
  expect(Buffer.compare(writeCpio(entries), writeCpio(entries))).toBe(0);
});

test.each([0, 1, 2, 3, 4, 5])("writeCpio() keeps %i bytes of contents", (sizeBytes) => {
  const contents = Buffer.alloc(sizeBytes, "x");
  const archive = writeCpio([{ kind: "file", path: "file", mode: 0o644, contents }]);
  const read = execFileSync("cpio", ["--extract", "--to-stdout", "--quiet"], { input: archive });
  expect(read).toEqual(contents);
});
