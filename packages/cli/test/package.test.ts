/** `kgraft package` as a user types it: packages whose contents are judged in packages/release/test. */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { release, runKgraft, scratch } from "./kgraft.ts";

const env = { SOURCE_DATE_EPOCH: "1735689600", DEBFULLNAME: "Live patches", DEBEMAIL: "live@kgraft.example" };

test("kgraft package initial, then a next version that goes on from it", async () => {
  await using directory = await scratch();
  const at = ["-o", directory.path];
  const made = await runKgraft(["package", "initial", "--kernel", release, ...at, "--json"], env);
  expect(made.code).toBe(0);
  expect((await readdir(directory.path)).toSorted()).toEqual(
    [
      `kgraft-patch-${release}_1-1_amd64.deb`,
      "kgraft-patch-6_1_0-55-cloud-amd64-1-1.x86_64.rpm",
      "kgraft-patch-cloud-amd64-6.1.192-1.x86_64.rpm",
      "kgraft-patch-cloud-amd64_6.1.192-1_amd64.deb",
    ].toSorted(),
  );
  const deb = join(directory.path, `kgraft-patch-${release}_1-1_amd64.deb`);
  const { stdout } = await promisify(execFile)("dpkg-deb", ["--field", deb, "Maintainer"]);
  expect(stdout.trim()).toBe("Live patches <live@kgraft.example>");
});

test("kgraft package patch refuses a module that is not there, with 65", async () => {
  const { code, stderr } = await runKgraft(["package", "patch", "/nowhere/kgraft_patch_2_1.ko"], env);
  expect(stderr).toMatch(/cannot read \/nowhere\/kgraft_patch_2_1\.(?:ko|json): it is not there/);
  expect(code).toBe(65);
});

test("kgraft package ptf warns of one that brings another kernel", async () => {
  await using directory = await scratch();
  const other = `linux-image-${release}=6.1.192-1+ptf7`;
  const words = ["package", "ptf", "7", "--title", "x", "--package", other, "--format", "deb"];
  const { code, stdout } = await runKgraft([...words, "-o", directory.path], env);
  expect(stdout).toMatch(/warning: ptf-7 brings another kernel .*no live patch applies/);
  expect({ code, files: await readdir(directory.path) }).toEqual({ code: 0, files: ["ptf-7_1-1_all.deb"] });
});

test("kgraft publish warns of one in a channel that machines update from", async () => {
  await using directory = await scratch();
  const at = (name: string): string => join(directory.path, name);
  const open = { ...env, KGRAFT_KEY_PASSPHRASE: "" };
  const key = ["--name", "Live patches <live@kgraft.example>", "--no-passphrase", "-o", at("key.asc")];
  await runKgraft(["key", "new", ...key], open);
  const ptf = ["7", "--title", "x", "--package", "tool=1-1", "--format", "deb", "-o", directory.path];
  await runKgraft(["package", "ptf", ...ptf], env);
  const publish = [
    "publish",
    at("ptf-7_1-1_all.deb"),
    "--repository",
    at("repository"),
    "--key",
    at("key.asc"),
  ];
  const unasked =
    /warning: apt and dnf install ptf-7 unasked, .* every machine that has channel stable\n.*--on-request/;
  const plain = await runKgraft(publish, open);
  expect(plain).toMatchObject({ code: 0, stdout: expect.stringMatching(unasked) as string });
  const asked = await runKgraft([...publish, "--channel", "ptf", "--on-request"], open);
  expect(asked).toMatchObject({ code: 0, stdout: expect.not.stringContaining("unasked") as string });
});

test("kgraft package refuses a date that is none, with 64", async () => {
  const { code, stderr } = await runKgraft(["package", "kgr"], { ...env, SOURCE_DATE_EPOCH: "yesterday" });
  expect(stderr).toMatch(/SOURCE_DATE_EPOCH is "yesterday", wanted seconds since 1970/);
  expect(code).toBe(64);
});
