/**
 * `kgraft delta` on objects that lie about what they hold, as either object and as the kernel's own symbols: one of its
 * documented ends, in bounded memory. The kernel cuts each run off at a gigabyte of its own, and a run that does not end is
 * ended after a minute.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scratch } from "./kgraft.ts";
import { alignedTo, liars } from "./liars.ts";

const execute = promisify(execFile);
const traced = "-pg -mfentry -mrecord-mcount -fno-pie -mcmodel=kernel -ffunction-sections".split(" ");
const program = resolve(import.meta.dirname, "../../../kgraft");
const [dataLimitKb, timeLimitMs] = [1_000_000, 60_000];
/** Node alone takes 60 of it. */
const memoryLimitKb = 512 << 10;

describe("kgraft delta on objects that lie", () => {
  let directory: Awaited<ReturnType<typeof scratch>>;
  let good: string;
  let kernel: string;

  const path = (name: string): string => join(directory.path, name);

  beforeAll(async () => {
    directory = await scratch();
    [good, kernel] = [path("good.o"), path("kernel.o")];
    const code = "int changed(int x) { return x; }\nvoid __fentry__(void) {}\n";
    await writeFile(path("unit.c"), code);
    await execute("gcc", ["-c", "-O2", ...traced, "-o", good, path("unit.c")]);
    await execute("gcc", ["-c", "-O2", "-o", kernel, path("unit.c")]);
    await writeFile(
      path("measure.mjs"),
      `import { writeFileSync } from "node:fs";
       process.on("exit", () => writeFileSync(process.env.KGRAFT_TEST_MEMORY, String(process.resourceUsage().maxRSS)));`,
    );
  });

  afterAll(() => directory[Symbol.asyncDispose]());

  async function run(
    original: string,
    patched: string,
    symbols: string,
    more: readonly string[] = [],
  ): Promise<{ readonly code: number; readonly said: string; readonly memoryKb: number }> {
    const words = [
      "delta",
      original,
      patched,
      "--object",
      "vmlinux",
      "--symbols",
      symbols,
      "-o",
      path("out.o"),
      ...more,
    ];
    const memory = path("memory");
    const env = {
      ...process.env,
      NODE_OPTIONS: `--import=${path("measure.mjs")}`,
      KGRAFT_TEST_MEMORY: memory,
    };
    const limited = ["-c", `ulimit -d ${dataLimitKb}; exec "$0" "$@"`, program, ...words];
    const options = { env, timeout: timeLimitMs, killSignal: "SIGKILL" as const };
    const { code, said } = await execute("sh", limited, options).then(
      ({ stdout }) => ({ code: 0, said: stdout }),
      (error: { readonly code: number; readonly stderr: string }) => ({
        code: error.code,
        said: error.stderr,
      }),
    );
    return { code, said, memoryKb: Number(await readFile(memory, "utf8")) };
  }

  test("the measure itself: a sound pair ends as it should", async () => {
    const { code, memoryKb } = await run(good, good, kernel);
    expect(code).toBe(3);
    expect(memoryKb).toBeGreaterThan(20_000);
  });

  test("code that is aligned to 16 MB makes no file of gigabytes", async () => {
    const names = Array.from({ length: 40 }, (_, index) => `changed_${index}`);
    const compiled = async (name: string, n: number, options: readonly string[]): Promise<string> => {
      const object = path(`${name}.o`);
      const functions = names.map((one) => `int ${one}(int x) { return value(x + ${n}); }`);
      const text = ["extern int value(int);", ...functions].join("\n");
      await writeFile(path(`${name}.c`), text);
      await execute("gcc", ["-c", "-O2", ...options, "-o", object, path(`${name}.c`)]);
      if (options.length > 0) await writeFile(object, alignedTo(1 << 24, await readFile(object)));
      return object;
    };
    const objects = [await compiled("before", 1, traced), await compiled("after", 2, traced)] as const;
    const { code, said, memoryKb } = await run(...objects, await compiled("image", 1, []), ["--undefined"]);
    expect(said).toMatch(/with its sections' alignment it has 6\d+ bytes, wanted at most 268435456/);
    expect(code).toBe(1);
    expect(memoryKb).toBeLessThan(memoryLimitKb);
  });

  test.each(liars)("%s", async (_, write) => {
    const liar = path("liar.o");
    write(liar);
    for (const [original, patched, symbols] of [
      [liar, liar, kernel],
      [liar, good, kernel],
      [good, liar, kernel],
      [good, good, liar],
    ] as const) {
      const { code, said, memoryKb } = await run(original, patched, symbols);
      expect([0, 1, 2, 3]).toContain(code);
      expect(said).toMatch(/^(kgraft: (cannot|no function)|\d+ function)/);
      expect(memoryKb).toBeLessThan(memoryLimitKb);
    }
  });
});
