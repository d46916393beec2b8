import { chmod, copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BusyboxMissing, QemuMissing } from "./errors.ts";
import { checkRequirements, findBusybox, findQemu } from "./requirements.ts";

// A PATH of one directory that holds what each test puts there.

let directory: string;
const outerPath = process.env["PATH"];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kgraft-lab-test-"));
  process.env["PATH"] = directory;
});

afterEach(async () => {
  process.env["PATH"] = outerPath;
  await rm(directory, { recursive: true });
});

test("findQemu() says what is missing and how to get it", async () => {
  const error: unknown = await findQemu().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(QemuMissing);
  expect(error).toMatchObject({ hint: "apt-get install qemu-system-x86" });
});

test("findBusybox() takes a static one", async () => {
  await copyFile("/bin/busybox", join(directory, "busybox"));
  expect(await findBusybox()).toBe(join(directory, "busybox"));
});

test.each([
  { what: "a dynamic one", source: "/bin/ls" },
  { what: "a script", source: import.meta.filename },
])("findBusybox() refuses $what", async ({ source }) => {
  const path = join(directory, "busybox");
  await copyFile(source, path);
  await chmod(path, 0o755);
  await expect(findBusybox()).rejects.toThrow(BusyboxMissing);
});

test("checkRequirements() tells present from absent", async () => {
  await copyFile("/bin/busybox", join(directory, "busybox"));
  const requirements = await checkRequirements();
  const present = new Map(requirements.map((requirement) => [requirement.packageName, requirement.present]));
  expect(present.get("qemu-system-x86")).toBe(false);
  expect(present.get("busybox-static")).toBe(true);
});
