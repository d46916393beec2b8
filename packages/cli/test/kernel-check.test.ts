/** kgraft kernel check: what is compiled here, beside what was shipped. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fetchKernel } from "@kgraft/kernel";
import { beforeAll, describe, expect, test } from "vitest";
import { release, runKgraft, scratch } from "./kgraft.ts";

interface Document {
  readonly checks: readonly {
    readonly object: string;
    readonly functions: number;
    readonly differing: unknown[];
  }[];
}

beforeAll(async () => {
  await fetchKernel({ release }, { onProgress: () => {}, signal: new AbortController().signal });
});

const unit = "drivers/block/loop.c";

describe("kgraft kernel check", () => {
  test("finds the units as they were shipped, in vmlinux and in a module", async () => {
    const { code, stdout } = await runKgraft([
      "kernel",
      "check",
      release,
      "fs/proc/version.c",
      unit,
      "--json",
    ]);
    const { checks } = JSON.parse(stdout) as Document;
    expect(checks.map(({ object, differing }) => [object, differing])).toEqual([
      ["vmlinux", []],
      ["loop", []],
    ]);
    expect(checks[1]?.functions).toBeGreaterThan(40);
    expect(code).toBe(0);
  });

  test("tells an object of another optimisation level, made with the command that it prints", async () => {
    await using directory = await scratch();
    const object = join(directory.path, "loop.o");
    const printed = await runKgraft(["kernel", "check", release, unit, "--print-command"]);
    const command = printed.stdout.replace(/ -o \S+/, ` -o ${object}`).replace(" -O2 ", " -O1 ");
    execFileSync("sh", ["-c", command], { stdio: "pipe" });
    const { code, stdout } = await runKgraft(["kernel", "check", release, unit, "--object", object]);
    expect(stdout).toMatch(/✘ drivers\/block\/loop\.c +loop +\d+ of \d+ functions equal\n/);
    expect(code).toBe(1);
  });

  test.each([
    ["a unit that the kernel does not have", ["fs/nowhere.c"], /fs\/nowhere\.c is not compiled into/, 65],
    ["an object that is none", [unit, "--object", import.meta.filename], /not an ELF/i, 65],
    ["an object for two units", [unit, "fs/proc/version.c", "--object", "x.o"], /takes one unit/, 64],
  ])("complains of %s", async (_, words, message, code) => {
    const finished = await runKgraft(["kernel", "check", release, ...words]);
    expect(finished.stderr).toMatch(message);
    expect(finished).toMatchObject({ code, stdout: "" });
  });
});
