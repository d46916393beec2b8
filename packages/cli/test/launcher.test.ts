/** The launcher: what it runs is put together from the sources, and is never older than they are. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { release, runKgraft } from "./kgraft.ts";

const root = resolve(import.meta.dirname, "../../..");
let tree: string;

/** A tree of its own, with the packages of the real one. */
beforeEach(async () => {
  tree = await mkdtemp(join(tmpdir(), "kgraft-launcher-"));
  for (const name of ["kgraft", "packages", "scripts", "package-lock.json"])
    await cp(join(root, name), join(tree, name), { recursive: true, preserveTimestamps: true });
  await symlink(join(root, "toolchain"), join(tree, "toolchain"));
  await mkdir(join(tree, "node_modules/@kgraft"), { recursive: true });
  for (const name of await readdir(join(root, "node_modules")))
    if (name !== "@kgraft") await symlink(join(root, "node_modules", name), join(tree, "node_modules", name));
  for (const room of await readdir(join(root, "node_modules/@kgraft")))
    await symlink(
      await readlink(join(root, "node_modules/@kgraft", room)),
      join(tree, "node_modules/@kgraft", room),
    );
});
afterEach(() => rm(tree, { recursive: true }));

async function version(): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(join(tree, "kgraft"), ["--version"]);
  expect(stderr).toBe("");
  return stdout.trim();
}

async function setVersion(text: string): Promise<void> {
  const path = join(tree, "packages/cli/package.json");
  const manifest: object = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...manifest, version: text }));
}

test("the command is put together on the first run, and again when a source has changed", async () => {
  await setVersion("1.0.0");
  expect(await version()).toBe("1.0.0");
  const made = await readlink(join(tree, "build/command/current"));
  expect(await version()).toBe("1.0.0");
  expect(await readlink(join(tree, "build/command/current"))).toBe(made);
  await setVersion("1.0.1");
  // The first of them runs the sources, the second what is made of them.
  expect([await version(), await version()]).toEqual(["1.0.1", "1.0.1"]);
  expect(await readlink(join(tree, "build/command/current"))).not.toBe(made);
});

test("a change in another room is seen as well", async () => {
  expect(await version()).toMatch(/^\d/);
  const path = join(tree, "packages/elf/src/errors.ts");
  await writeFile(path, `${await readFile(path, "utf8")}\nthrow new Error("seen");\n`);
  // Twice: what cannot be run is no reason to go back to what could.
  for (const _ of ["sources", "put together"]) await expect(version()).rejects.toThrow("seen");
});

test("without a place for it the sources run", async () => {
  await setVersion("2.0.0");
  await writeFile(join(tree, "build"), "a file");
  expect([await version(), await version()]).toEqual(["2.0.0", "2.0.0"]);
});

test("eight at once put it together side by side", async () => {
  await setVersion("3.0.0");
  const all = await Promise.all(Array.from({ length: 8 }, version));
  expect(new Set(all)).toEqual(new Set(["3.0.0"]));
  const names = await readdir(join(tree, "build/command"));
  expect(names.filter((name) => name !== "current").length).toBe(1);
});

test("eight at once find it out of date", async () => {
  for (let round = 0; round < 5; round++) {
    await version();
    await setVersion(`4.0.${round}`);
    const all = await Promise.all(Array.from({ length: 8 }, version));
    expect(new Set(all)).toEqual(new Set([`4.0.${round}`]));
  }
});

test("a cache that cannot be made ends a command, and not the wait for it", async () => {
  const env = { KGRAFT_CACHE: "/proc/nowhere", NODE_COMPILE_CACHE: "" };
  expect(await runKgraft(["kernel", "list"], env)).toMatchObject({ code: 0 });
  expect(await runKgraft(["kernel", "fetch", release], env)).toMatchObject({
    code: 74,
    stderr: expect.stringContaining("cannot write /proc/nowhere"),
  });
});
