import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder } from "./folder.ts";

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kgraft-folder-"));
});
afterAll(() => rm(home, { recursive: true }));

test("makeFolder() makes what is missing, by several at once, and is content with what is there", async () => {
  const path = join(home, "a/b/c");
  await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(home, "a/b"))]);
  await makeFolder(path);
  expect((await stat(path)).isDirectory()).toBe(true);
});

test("makeFolder() refuses a file, and a path through one", async () => {
  const file = join(home, "file");
  await writeFile(file, "");
  await expect(makeFolder(file)).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makeFolder(join(file, "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test("makeFolder() comes to an end where the file system takes no folder", async () => {
  await expect(makeFolder("/proc/kgraft-folder/below")).rejects.toMatchObject({ code: "ENOENT" });
});
