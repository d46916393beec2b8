import { describe, expect, test } from "vitest";
import { checkCompiler, compilerOf, packageOf } from "./compiler.ts";

const config = 'CONFIG_A=y\nCONFIG_CC_VERSION_TEXT="gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"\n';
const { signal } = new AbortController();

test("compilerOf() reads command and version", () => {
  const native = process.arch === "x64" ? "" : "x86_64-linux-gnu-";
  expect(compilerOf(config, "amd64")).toEqual({
    command: `${native}gcc-12`,
    version: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0",
  });
  const newer = config.replace("gcc-12", "x86_64-linux-gnu-gcc-14");
  expect(compilerOf(newer, "amd64").command).toBe("x86_64-linux-gnu-gcc-14");
  expect(() => compilerOf("CONFIG_A=y\n", "amd64")).toThrow(/no CONFIG_CC_VERSION_TEXT/);
});

test.each([
  ["gcc-12", "gcc-12"],
  ["powerpc64le-linux-gnu-gcc-12", "gcc-12-powerpc64le-linux-gnu"],
  ["x86_64-linux-gnu-gcc-14", "gcc-14-x86-64-linux-gnu"],
])("packageOf() %s", (command, wanted) => expect(packageOf(command)).toBe(wanted));

describe("checkCompiler()", () => {
  test.each([
    [
      "another version",
      { command: "gcc", version: "gcc (Debian 1.2.3-4) 1.2.3" },
      /found gcc .*, wanted gcc \(Debian 1/,
    ],
    ["a missing one", { command: "gcc-99", version: "gcc-99 (Debian 99) 99" }, /found no gcc-99/],
  ])("refuses %s", async (_, compiler, message) => {
    const checked = checkCompiler("6.1.0-1-amd64", compiler, signal);
    await expect(checked).rejects.toThrow(message);
    await expect(checked).rejects.toMatchObject({ name: "CompilerMismatch" });
  });
});
