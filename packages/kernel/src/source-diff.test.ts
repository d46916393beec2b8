import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ChangedFile } from "./compare-sources.ts";
import { diffFiles } from "./source-diff.ts";

const { signal } = new AbortController();
let scratch = "";
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "kgraft-diff-"));
});
afterEach(() => rm(scratch, { recursive: true }));

/** A change of as many files, in folders of their own and in folders that they share. */
function changes(count: number): ChangedFile[] {
  return Array.from({ length: count }, (_, at) => ({
    path: `arch/a${at % 7}/kernel/k${at % 31}/f${at}.c`,
    ...(at % 5 === 0 ? {} : { old: Buffer.from(`one\n${at}\n`) }),
    ...(at % 5 === 1 ? {} : { new: Buffer.from(`one\n${at + 1}\n`) }),
  }));
}

test("diffFiles() of many files in many folders is a patch that makes the one of the other", async () => {
  const files = changes(150);
  const diffs = await diffFiles(files, scratch, signal);
  expect(diffs.map(({ path }) => path)).toEqual(files.map(({ path }) => path));
  const kinds = Object.groupBy(diffs, ({ kind }) => kind);
  expect([kinds.added?.length, kinds.removed?.length, kinds.changed?.length]).toEqual([30, 30, 90]);

  const tree = join(scratch, "tree");
  for (const { path, old } of files.filter((one) => one.old !== undefined)) {
    await mkdir(join(tree, path, ".."), { recursive: true });
    await writeFile(join(tree, path), old!); // filtered
  }
  const input = diffs.map(({ text }) => text).join("");
  execFileSync("patch", ["-s", "-p1", "-d", tree], { input });
  for (const file of files.filter((one) => one.new !== undefined)) {
    expect(await readFile(join(tree, file.path))).toEqual(file.new);
  }
});

test("diffFiles() tells what it failed of, and has ended all work by then", async () => {
  await writeFile(join(scratch, "b"), ""); // a file where the new ones go
  await expect(diffFiles(changes(40), scratch, signal)).rejects.toMatchObject({ code: "ENOTDIR" });
  const left = await readdir(scratch, { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await readdir(scratch, { recursive: true })).toEqual(left);
});
