/** `kgraft delta` on units of the stock kernel, and on objects that have nothing to do with one. */
import { execFile } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { bytesSource, readObject } from "@kgraft/elf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compilePair, type UnitPair } from "./pair.ts";
import { runKgraft, scratch } from "./kgraft.ts";

const execute = promisify(execFile);

async function writeReadelf(image: string, path: string): Promise<void> {
  const { stdout } = await execute("readelf", ["-s", "--wide", image], { maxBuffer: 1 << 28 });
  await writeFile(path, stdout);
}

describe("kgraft delta on a unit of vmlinux", () => {
  let directory: Awaited<ReturnType<typeof scratch>>;
  let pair: UnitPair;
  let options: readonly string[];

  beforeAll(async () => {
    directory = await scratch();
    pair = await compilePair(directory.path, "kernel/fork.c", (text) =>
      text.replace(
        "\tif ((clone_flags & (CLONE_NEWNS|CLONE_FS)) == (CLONE_NEWNS|CLONE_FS))",
        '\tpr_info_once("a task is made\\n");\n\tif ((clone_flags & (CLONE_NEWNS|CLONE_FS)) == (CLONE_NEWNS|CLONE_FS))',
      ),
    );
    options = ["--object", "vmlinux", "--symvers", pair.tree.moduleSymvers];
  });

  afterAll(() => directory[Symbol.asyncDispose]());

  const delta = (
    symbols: string,
    output: string,
    more: readonly string[] = options,
  ): ReturnType<typeof runKgraft> =>
    runKgraft(["delta", pair.before, pair.after, ...more, "--symbols", symbols, "-o", output]);

  test("writes the same bytes from vmlinux as from what readelf prints of it", async () => {
    const text = join(directory.path, "vmlinux.sym");
    await writeReadelf(pair.tree.vmlinux, text);
    const [a, b] = [join(directory.path, "image.o"), join(directory.path, "text.o")];
    expect(await delta(pair.tree.vmlinux, a)).toMatchObject({ code: 0, stderr: "" });
    expect(await delta(text, b)).toMatchObject({ code: 0, stderr: "" });
    expect((await readFile(a)).equals(await readFile(b))).toBe(true);
  });

  test("writes the changed function, its tables, and nothing else of the text", async () => {
    const output = join(directory.path, "out.o");
    const answer = await delta(pair.tree.vmlinux, output, [...options, "--json"]);
    const { functions, imports, livepatchSymbols } = JSON.parse(answer.stdout);
    expect(functions).toMatchObject([{ name: "copy_process", sympos: 0 }]);
    expect(imports).toContain("__fentry__");
    expect(livepatchSymbols).toContain(".klp.sym.vmlinux.nr_threads,0");
    const object = readObject(bytesSource(output, await readFile(output)));
    const names = object.sections.map(({ name }) => name);
    expect(names.filter((name) => name.startsWith(".text"))).toEqual([
      ".text.unlikely.copy_process",
      ".text.copy_process",
    ]);
    expect(names).toEqual(expect.arrayContaining([".altinstructions", "__jump_table", ".orc_unwind"]));
    expect(names.filter((name) => /^\.(discard|debug)/.test(name))).toEqual([]);
    const wanted = object.symbols.filter(({ place }) => place.kind === "livepatch").map(({ name }) => name);
    expect(wanted.toSorted()).toEqual(livepatchSymbols);
  });

  test("leaves every symbol of vmlinux to the livepatch core where it is not told what is exported", async () => {
    const answer = await delta(pair.tree.vmlinux, join(directory.path, "core.o"), [
      "--object",
      "vmlinux",
      "--json",
    ]);
    const { imports, livepatchSymbols } = JSON.parse(answer.stdout);
    expect(imports).toEqual([]);
    expect(livepatchSymbols).toContain(".klp.sym.vmlinux.__fentry__,0");
  });

  test("ends with 3 where no function does anything else", async () => {
    const output = join(directory.path, "none.o");
    const same = ["delta", pair.before, pair.before, ...options, "--symbols", pair.tree.vmlinux];
    expect(await runKgraft([...same, "-o", output])).toMatchObject({ code: 3, stdout: "" });
    await expect(readFile(output)).rejects.toThrow("ENOENT");
  });
});

describe("kgraft delta on a unit of a module", () => {
  test("finds its symbols in the shipped module, the one with debug data, and what readelf prints", async () => {
    await using directory = await scratch();
    const pair = await compilePair(directory.path, "drivers/block/loop.c", (text) =>
      text.replace('autoclear ? "1" : "0"', 'autoclear ? "yes" : "no"'),
    );
    const path = "kernel/drivers/block/loop.ko";
    const shipped = join(pair.tree.modulesDirectory, path);
    const text = join(directory.path, "loop.sym");
    await writeReadelf(shipped, text);
    const outputs = [shipped, join(pair.tree.debugModulesDirectory, path), text].map(
      async (symbols, index) => {
        const output = join(directory.path, `${index}.o`);
        const words = ["delta", pair.before, pair.after, "--object", "loop.ko", "--symbols", symbols];
        expect(await runKgraft([...words, "-o", output])).toMatchObject({ code: 0, stderr: "" });
        return readFile(output);
      },
    );
    const [first, ...others] = await Promise.all(outputs);
    expect(others.map((other) => first?.equals(other))).toEqual([true, true]);
    const object = readObject(bytesSource("0.o", first!)); // three were written
    const names = object.symbols.map(({ name }) => name);
    expect(names).toContain("loop_attr_do_show_autoclear");
    expect(names).toContain("sysfs_emit");
  });
});

describe("kgraft delta on objects of a compiler alone", () => {
  const unit = (body: string): string =>
    `extern int value(int);\nint limit = 3;\nint changed(int x) { return value(${body}); }\nint other(int x) { return value(x * limit); }\n`;
  const kernel =
    "int value(int x) { return x; }\nint limit;\nint changed(int x) { return x; }\nint other(int x) { return x; }\n";

  async function compile(path: string, text: string, options: readonly string[] = traced): Promise<string> {
    await writeFile(`${path}.c`, text);
    await execute("gcc", [
      "-c",
      "-O2",
      "-ffunction-sections",
      "-fdata-sections",
      ...options,
      "-o",
      path,
      `${path}.c`,
    ]);
    return path;
  }
  const traced = ["-pg", "-mfentry", "-mrecord-mcount", "-fno-pie", "-mcmodel=kernel"];
  const entry = "void __fentry__(void) {}\n";

  test.each([
    ["0 where a function changed", unit("x"), unit("x + 1"), traced, 0, "1 function of vmlinux replaced"],
    ["3 where none did", unit("x"), `\n\n${unit("x")}`, traced, 3, "no function of vmlinux changes"],
    ["2 where the change is in data", unit("x"), unit("x").replace("= 3", "= 4"), traced, 2, "limit"],
    ["2 where ftrace has no entry", unit("x"), unit("x + 1"), [], 2, "has no entry that ftrace"],
    [
      "2 where a name is nowhere",
      unit("x"),
      `extern int lost(int);\n${unit("lost(x)")}`,
      traced,
      2,
      "lost cannot be reached",
    ],
  ] as const)("ends with %s", async (_, before, after, options, code, said) => {
    await using directory = await scratch();
    const path = (name: string): string => join(directory.path, name);
    const objects = [
      await compile(path("before.o"), before, options),
      await compile(path("after.o"), after, options),
    ];
    const image = await compile(path("kernel.o"), kernel + entry, []);
    const words = ["delta", ...objects, "--object", "vmlinux", "--symbols", image, "-o", path("out.o")];
    const answer = await runKgraft(words);
    expect(answer.code).toBe(code);
    expect(answer.stdout + answer.stderr).toContain(said);
  });

  test("ends with 1 and one document for what is no input", async () => {
    await using directory = await scratch();
    const path = (name: string): string => join(directory.path, name);
    const good = await compile(path("good.o"), unit("x"));
    const image = await compile(path("kernel.o"), kernel + entry, []);
    await writeFile(path("text"), "this is no object\n".repeat(9));
    await writeFile(path("cut.o"), (await readFile(good)).subarray(0, 700));
    await writeFile(
      path("narrow.sym"),
      "     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT    1 a_long_na[...]\n",
    );
    const huge = await open(path("huge.o"), "w");
    await huge.write(await readFile(good)).then(() => huge.truncate(2 ** 31));
    await huge.close();
    const run = async (words: readonly string[]): Promise<unknown> => {
      const object = words.includes("--object") ? [] : ["--object", "vmlinux"];
      const answer = await runKgraft(["delta", ...object, "-o", path("out.o"), "--json", ...words]);
      expect(answer.code).toBe(1);
      return JSON.parse(answer.stdout).error.message;
    };
    const symbols = ["--symbols", image];
    expect(await run([path("text"), good, ...symbols])).toMatch(
      /ELF header of .*text: it is not an ELF file/,
    );
    expect(await run([good, path("cut.o"), ...symbols])).toMatch(/cut\.o: it ends at byte/);
    expect(await run([good, path("nothing.o"), ...symbols])).toMatch(/nothing\.o: it is not there/);
    expect(await run([good, path("huge.o"), ...symbols])).toMatch(/huge\.o: it is larger than/);
    expect(await run([good, directory.path, ...symbols])).toMatch(/it is a directory/);
    expect(await run([good, good, "--symbols", path("text")])).toMatch(/found none, wanted lines of readelf/);
    expect(await run([good, good, ...symbols, "--object", "loop"])).toMatch(/the table is no module's/);
    expect(await run([good, good, "--symbols", path("narrow.sym")])).toMatch(
      /line 1 is .*wanted a whole line/,
    );
    expect(await run([good, good, ...symbols, "--symvers", path("text")])).toMatch(/exports of .*line 1 is/);
    await expect(readFile(path("out.o"))).rejects.toThrow("ENOENT");
  });
});

test("examples/delta/run.sh shows what is carried, and needs no kernel", async () => {
  await using directory = await scratch();
  const script = join(import.meta.dirname, "../../../examples/delta/run.sh");
  const { stdout, stderr } = await execute(script, [directory.path]);
  expect(stderr).toBe("");
  expect(stdout).toContain("1 function of vmlinux replaced:");
  expect(stdout).toMatch(/PROGBITS/);
  expect([...stdout.matchAll(/\] (\.(?:text|data|bss)\.\S*)/g)].map(([, name]) => name)).toEqual([
    ".text.serve",
  ]);
  expect(stdout).toMatch(/R_X86_64_PC32 .* \.klp\.sym\.vmlinux\.served,0 - 4/);
});
