import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FileUnreadable } from "./errors.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { readInput } from "./input-file.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kgraft-input-"));
  await writeFile(join(directory, "file"), "text");
  await symlink("loop", join(directory, "loop"));
});
afterAll(async () => rm(directory, { recursive: true }));

const read = (name: string, signal = new AbortController().signal): Promise<Buffer> =>
  readInput(join(directory, name), { hint: "name a diff", signal, limitBytes: 1 << 20 });

test("readInput() gives the bytes of a file", async () => {
  expect(await read("file")).toEqual(await readFile(join(directory, "file")));
});

test.each([
  ["is missing", "gone", "it is not there"],
  ["is a directory", ".", "it is a directory, wanted a file"],
  ["lies below a file", "file/x", "a part of the path is a file, wanted a directory"],
  ["leads in a circle", "loop", "its symbolic links go in a circle"],
  ["has no end", "../../../../../../dev/zero", "it is larger than 1.0 MB"],
])("readInput() refuses with 65 what %s", async (_, name, matter) => {
  const failure = await read(name).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(FileUnreadable);
  expect(failure).toMatchObject({
    message: `cannot read ${join(directory, name)}: ${matter}`,
    hint: "name a diff",
  });
  expect(exitCodeOf(failure)).toBe(65);
});

test("readInput() ends with the signal's reason", async () => {
  await expect(read("file", AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
});
