/**
 * Kernels of suites that this machine is not of: the newest cloud kernel that each carries, compiled by its own
 * suite's compiler into what was shipped.
 */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findSection, readSymbols, sectionData } from "@kgraft/elf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { versionsOf, updateIndex } from "../src/apt.ts";
import {
  type CompiledUnit,
  compileUnit,
  fetchKernel,
  type KernelTree,
  makeArguments,
  objtoolCommand,
  openKernel,
  type Progress,
  type Units,
  unitsOf,
  withElfFile,
} from "../src/mod.ts";
import { exactCompiler } from "../src/toolchain.ts";
import { newestRelease } from "./newest-release.ts";
import { uncompilable } from "./uncompilable.ts";

const { signal } = new AbortController();
const quiet = { onProgress: () => {}, signal };
const STB_WEAK = 2;
const STT_FUNC = 2;

let scratch = "";
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "kgraft-suites-"));
});
afterAll(() => rm(scratch, { recursive: true }));

function functionSizes(path: string): ReadonlySet<string> {
  const symbols = withElfFile(path, path, (file) => readSymbols(file));
  // Of a weak function another unit's definition may be the one that was linked. What objtool adds before a
  // function (__pfx_) is in the linked files only.
  const functions = symbols.filter(
    ({ type, sizeBytes, binding, name }) =>
      type === STT_FUNC && sizeBytes > 0 && binding !== STB_WEAK && !name.startsWith("__pfx_"),
  );
  return new Set(functions.map((symbol) => `${symbol.name} ${symbol.sizeBytes}`));
}

describe.each(["trixie", "sid"])("a kernel of %s", (suite) => {
  let tree: KernelTree;
  let units: Units;
  beforeAll(async () => {
    tree = await fetchKernel({ release: await newestRelease(suite), suite }, quiet);
    units = await unitsOf(tree);
  });

  function compile(unit: string, sections: "split" | "as-shipped" = "as-shipped"): Promise<CompiledUnit> {
    return compileUnit(tree, { unit, sections }, { signal });
  }

  test("has the compiler that made it", async () => {
    const afterName = (text: string): string => text.slice(text.indexOf(" "));
    const { compilerLine } = await compile("lib/ctype.c");
    expect(afterName(compilerLine)).toBe(afterName(tree.compiler.version));
    expect(await openKernel(tree.release)).toEqual(tree);
  });

  test.each(["fs/ext4/mballoc.c", "lib/kobject.c", "kernel/module/main.c", "mm/memory.c", "fs/namei.c"])(
    "%s has the functions and sizes of the shipped vmlinux",
    async (unit) => {
      const own = functionSizes((await compile(unit)).objectPath);
      expect(own.size).toBeGreaterThan(3);
      expect(own.difference(functionSizes(tree.vmlinux))).toEqual(new Set());
      expect(units.units.get(unit)).toEqual([{ name: "vmlinux", module: null }]);
      const split = await compile(unit, "split");
      const sections = withElfFile(split.objectPath, unit, (file) => file.sections.map(({ name }) => name));
      expect(sections.filter((name) => name.startsWith(".text.")).length).toBeGreaterThan(3);
    },
  );

  test.each(["fs/xfs/xfs_iops.c", "virt/kvm/kvm_main.c", "drivers/block/loop.c"])(
    "%s has the functions and sizes of the shipped module",
    async (unit) => {
      const compiled = await compile(unit);
      const [object] = units.units.get(unit)!;
      expect(object!.name).toBe(compiled.moduleName);
      const shipped = functionSizes(join(tree.modulesDirectory, object!.module!));
      expect(functionSizes(compiled.objectPath).difference(shipped)).toEqual(new Set());
    },
  );

  test("all of its units can be compiled but the images of the vDSO", async () => {
    const strange = await uncompilable(tree, units);
    expect(strange.map((unit) => unit.replace(/^arch\/x86\/entry\/vdso\/(?:.*\/)?/, ""))).toEqual(
      suite === "trixie" ? ["vdso-image-32.c", "vdso-image-64.c"] : ["vdso32-image.c", "vdso64-image.c"],
    );
    // Out of what a build makes before them; where Rust is, also what it calls of C.
    const made = ["crypto/asymmetric_keys/x509_cert_parser.c", "init/version.c", "rust/helpers/helpers.c"];
    for (const unit of made.filter((one) => units.units.has(one))) {
      const own = functionSizes((await compile(unit)).objectPath);
      expect(own.difference(functionSizes(tree.vmlinux))).toEqual(new Set());
    }
  });

  test("names every header that the compiler read", async () => {
    for (const unit of ["fs/ext4/mballoc.c", "fs/xfs/xfs_iops.c", "drivers/block/loop.c"]) {
      const { dependencies } = await compile(unit);
      expect(dependencies.filter((path) => !units.unitsReading(path).includes(unit))).toEqual([]);
    }
  });

  test("runs objtool on a linked object with the kernel's own flags", async () => {
    const objtool = await objtoolCommand(tree);
    expect(objtool?.arguments).toEqual(expect.arrayContaining(["--ibt", "--orc", "--link", "--module"]));
    const object = join(scratch, `${suite}.o`);
    const { objectPath } = await compile("fs/ext4/mballoc.c", "split");
    const names = (path: string): readonly string[] =>
      withElfFile(path, path, (file) => file.sections.map(({ name }) => name));
    expect(names(objectPath)).not.toContain(".orc_unwind");
    execFileSync("cp", [objectPath, object]);
    execFileSync(objtool!.command, [...objtool!.arguments, object], { cwd: tree.sourceDirectory });
    expect(names(object)).toEqual(expect.arrayContaining([".orc_unwind", ".return_sites"]));
  });

  test("modules build in its tree, with the shipped modules' vermagic", async () => {
    const directory = join(scratch, `module-${suite}`);
    await mkdir(directory);
    await writeFile(join(directory, "Makefile"), "obj-m := one.o\n");
    await writeFile(
      join(directory, "one.c"),
      '#include <linux/module.h>\nMODULE_LICENSE("GPL");\nMODULE_DESCRIPTION("one");\n',
    );
    const args = ["-C", tree.sourceDirectory, `M=${directory}`, ...makeArguments(tree), "modules"];
    execFileSync("make", args, { stdio: "pipe" });
    const vermagic = (path: string): string | undefined =>
      withElfFile(path, path, (file) => {
        const text = Buffer.from(sectionData(file, findSection(file, ".modinfo")!)).toString();
        return text.split("\0").find((line) => line.startsWith("vermagic="));
      });
    expect(vermagic(join(directory, "one.ko"))).toBe(
      vermagic(join(tree.modulesDirectory, "kernel/fs/xfs/xfs.ko")),
    );
  });

  test("what is shipped compressed can be read", async () => {
    const files = await readdir(tree.modulesDirectory, { recursive: true });
    expect(files.filter((name) => name.endsWith(".ko")).length).toBeGreaterThan(100);
    expect(files.filter((name) => /\.ko\.\w+$/.test(name))).toEqual([]);
  });

  test("a compiler that the suite does not carry is refused with both versions", async () => {
    const command = tree.compiler.command;
    const wanted = { ...tree, compiler: { command, version: `${command} (Debian 1.2.3-4) 1.2.3` } };
    const found = new RegExp(`found gcc-\\d.* in ${suite}, wanted ${command} \\(Debian 1\\.2\\.3-4\\)`);
    const asked = exactCompiler(wanted, quiet);
    await expect(asked).rejects.toThrow(found);
    await expect(asked).rejects.toMatchObject({ name: "CompilerMismatch" });
  });
});

test("exactCompiler() aborted while it unpacks leaves no toolchain", async () => {
  const before = process.env["KGRAFT_CACHE"];
  process.env["KGRAFT_CACHE"] = join(scratch, "cache");
  try {
    const wanted = {
      release: "any",
      suite: "trixie",
      compiler: {
        command: "x86_64-linux-gnu-gcc-14",
        version: `gcc-14 (Debian ${await newestCompiler("trixie")}) 14`,
      },
    };
    const stop = new AbortController();
    const stages = new Set<string>();
    const onProgress = ({ stage }: Progress): void => {
      stages.add(stage);
      if (stage === "toolchain") setTimeout(() => stop.abort(new Error("stopped")), 500);
    };
    await expect(exactCompiler(wanted, { onProgress, signal: stop.signal })).rejects.toThrow("stopped");
    expect([...stages]).toEqual(["index", "download", "toolchain"]);
    expect(await readdir(join(scratch, "cache/toolchains"))).toEqual([]);
    expect((await readdir(join(scratch, "cache/downloads"))).length).toBeGreaterThan(10);
  } finally {
    if (before === undefined) delete process.env["KGRAFT_CACHE"];
    else process.env["KGRAFT_CACHE"] = before;
  }
});

async function newestCompiler(suite: string): Promise<string> {
  return (await versionsOf(await updateIndex(suite, "amd64", quiet), "gcc-14", signal))[0]!;
}
