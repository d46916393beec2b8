import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeDirectory } from "./write-whole.ts";

let scratch = "";
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "kgraft-write-"));
});
afterAll(() => rm(scratch, { recursive: true }));

test("makeDirectory() of folders that others make at the same time", async () => {
  for (let round = 0; round < 50; round++) {
    const deep = join(scratch, `${round}`, "arch/alpha/kernel");
    await Promise.all(["", "a", "b", "c", "d/e", "../mm"].map((name) => makeDirectory(join(deep, name))));
    expect((await readdir(deep)).toSorted()).toEqual(["a", "b", "c", "d"]);
  }
});

test("makeDirectory() is refused where a directory takes none", async () => {
  await expect(makeDirectory("/proc/nowhere")).rejects.toMatchObject({ code: "ENOENT" });
  await expect(makeDirectory("/proc/nowhere/at/all")).rejects.toMatchObject({ code: "ENOENT" });
});
