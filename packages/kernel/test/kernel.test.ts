/** A stock Debian kernel: fetched, prepared, and its units compiled as they were shipped. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findSection, readSymbols, sectionData } from "@kgraft/elf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CompiledUnit,
  compileUnit,
  diffVersions,
  fetchKernel,
  isCompilable,
  type KernelTree,
  listKernels,
  makeArguments,
  openKernel,
  type Units,
  unitsOf,
  withElfFile,
} from "../src/mod.ts";
import { shadowTree } from "./shadow-tree.ts";
import { uncompilable } from "./uncompilable.ts";

const release = "6.1.0-55-cloud-amd64";
const { signal } = new AbortController();
const quiet = { onProgress: () => {}, signal };
const STB_WEAK = 2;
const STT_FUNC = 2;

let tree: KernelTree;
let units: Units;
let scratch = "";
beforeAll(async () => {
  tree = await fetchKernel({ release }, quiet);
  units = await unitsOf(tree);
  scratch = await mkdtemp(join(tmpdir(), "kgraft-kernel-"));
});
afterAll(() => rm(scratch, { recursive: true }));

function functionSizes(path: string): ReadonlySet<string> {
  const symbols = withElfFile(path, path, (file) => readSymbols(file));
  // Of a weak function another unit's definition may be the one that was linked.
  const functions = symbols.filter(
    (symbol) => symbol.type === STT_FUNC && symbol.sizeBytes > 0 && symbol.binding !== STB_WEAK,
  );
  return new Set(functions.map((symbol) => `${symbol.name} ${symbol.sizeBytes}`));
}

function compile(unit: string, more: { root?: string; sections?: "split" } = {}): Promise<CompiledUnit> {
  return compileUnit(tree, { unit, sections: "as-shipped", ...more }, { signal });
}

describe("fetchKernel()", () => {
  test("does nothing for a kernel that is prepared", async () => {
    const stages: string[] = [];
    const again = await fetchKernel({ release }, { onProgress: ({ stage }) => stages.push(stage), signal });
    expect(stages).toEqual([]);
    expect(again).toEqual(await openKernel(release));
    expect((await listKernels()).map((kernel) => kernel.release)).toContain(release);
  });

  test("describes the kernel that boots", () => {
    expect(tree).toMatchObject({ packageVersion: "6.1.192-1", suite: "bookworm", architecture: "amd64" });
    const notes = execFileSync("readelf", ["-n", tree.vmlinux]).toString();
    expect(notes).toContain(`Build ID: ${tree.buildId}`);
    const generated = readFileSync(join(tree.sourceDirectory, "include/generated/utsrelease.h"), "utf8");
    expect(generated).toBe(`#define UTS_RELEASE "${release}"\n`);
    for (const path of [tree.image, tree.modulesDirectory, tree.debugModulesDirectory, tree.moduleSymvers]) {
      expect(existsSync(path)).toBe(true);
    }
  });

  test("prepares a tree in which modules build, with the shipped modules' vermagic", async () => {
    const directory = join(scratch, "module");
    await mkdir(directory);
    await writeFile(join(directory, "Makefile"), "obj-m := one.o\n");
    const source = '#include <linux/module.h>\nMODULE_LICENSE("GPL");\n';
    await writeFile(join(directory, "one.c"), source);
    const args = ["-C", tree.sourceDirectory, `M=${directory}`, ...makeArguments(tree), "modules"];
    execFileSync("make", args, { stdio: "pipe" });
    const vermagic = (path: string): string | undefined =>
      withElfFile(path, path, (file) => {
        const text = Buffer.from(sectionData(file, findSection(file, ".modinfo")!)).toString();
        return text.split("\0").find((line) => line.startsWith("vermagic="));
      });
    expect(vermagic(join(directory, "one.ko"))).toBe(
      vermagic(join(tree.modulesDirectory, "kernel/fs/fuse/fuse.ko")),
    );
  });
});

describe("compileUnit()", () => {
  test.each(["fs/ext4/mballoc.c", "lib/crc32.c", "kernel/module/main.c"])(
    "%s has the functions and sizes of the shipped vmlinux",
    async (unit) => {
      const compiled = await compile(unit);
      const own = functionSizes(compiled.objectPath);
      expect(own.size).toBeGreaterThan(3);
      expect(own.difference(functionSizes(tree.vmlinux))).toEqual(new Set());
      expect(compiled.moduleName).toBeNull();
      expect(units.units.get(unit)).toEqual([{ name: "vmlinux", module: null }]);
    },
  );

  test.each(["fs/fuse/dir.c", "virt/kvm/kvm_main.c", "fs/xfs/xfs_iops.c"])(
    "%s has the functions and sizes of the shipped module",
    async (unit) => {
      const compiled = await compile(unit);
      const [object] = units.units.get(unit)!;
      expect(object!.name).toBe(compiled.moduleName);
      const shipped = functionSizes(join(tree.modulesDirectory, object!.module!));
      expect(functionSizes(compiled.objectPath).difference(shipped)).toEqual(new Set());
    },
  );

  test.each(["init/version.c", "certs/blacklist_hashes.c", "crypto/asymmetric_keys/x509.asn1.c"])(
    "%s finds what a build makes before it",
    async (unit) => {
      expect(units.units.get(unit)).toEqual([{ name: "vmlinux", module: null }]);
      const { objectPath } = await compile(unit);
      expect(functionSizes(objectPath).difference(functionSizes(tree.vmlinux))).toEqual(new Set());
    },
  );

  test("a second time comes from the cache, and the tree is not written to", async () => {
    const before = await readdir(join(tree.sourceDirectory, "fs/fuse"));
    const first = await compile("fs/fuse/acl.c", { sections: "split" });
    const second = await compile("fs/fuse/acl.c", { sections: "split" });
    expect(second).toEqual({ ...first, cached: true, durationMs: second.durationMs });
    expect(await readdir(join(tree.sourceDirectory, "fs/fuse"))).toEqual(before);
    const sections = withElfFile(second.objectPath, "acl.o", (file) => file.sections.map(({ name }) => name));
    expect(sections).toContain(".text.fuse_get_acl");
  });

  test("in a shadow tree, what a unit reads decides whether it is compiled again", async () => {
    const unit = "fs/fuse/acl.c";
    const shadow = await shadowTree(tree.sourceDirectory, join(scratch, "shadow"));
    const original = await compile(unit);
    const steps: readonly (readonly [string, (text: string) => string])[] = [
      [unit, (text) => text.replace("return -EOPNOTSUPP;", `return -EIO - ${process.pid};`)],
      ["fs/ext4/mballoc.h", (text) => `${text}\n`],
      [
        "fs/fuse/fuse_i.h",
        (text) => text.replace("#define FUSE_NAME_MAX 1024", "#define FUSE_NAME_MAX 1025"),
      ],
    ];
    const hits: boolean[] = [(await compile(unit, { root: shadow.root })).cached];
    for (const [path, change] of steps) {
      await shadow.replace(path, change);
      const compiled = await compile(unit, { root: shadow.root });
      hits.push(compiled.cached);
      expect(compiled.objectPath).not.toBe(original.objectPath);
      expect((await compile(unit, { root: shadow.root })).cached).toBe(true);
    }
    // Unchanged; the unit changed; a header it does not read; a header it reads.
    expect(hits).toEqual([true, false, true, false]);
  });

  test("an abort leaves no part of an object", async () => {
    const shadow = await shadowTree(tree.sourceDirectory, join(scratch, "aborted"));
    await shadow.replace("fs/ext4/mballoc.c", (text) => `${text}int added_${process.pid};\n`);
    const parts = async (): Promise<readonly string[]> => {
      const names = await readdir(join(tree.directory, "objects"), { recursive: true });
      return names.filter((name) => name.includes(`.${process.pid}-`));
    };
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("stopped")), 400);
    const request = { unit: "fs/ext4/mballoc.c", root: shadow.root, sections: "as-shipped" } as const;
    await expect(compileUnit(tree, request, { signal: stop.signal })).rejects.toThrow("stopped");
    expect(await parts()).toEqual([]);
  });

  test("says what the compiler said, with paths of the tree", async () => {
    const shadow = await shadowTree(tree.sourceDirectory, join(scratch, "broken"));
    await shadow.replace("fs/fuse/acl.c", (text) => `${text}int broken(void) { return missing; }\n`);
    const compiling = compile("fs/fuse/acl.c", { root: shadow.root });
    await expect(compiling).rejects.toMatchObject({
      name: "CompileFailed",
      stderr: expect.stringMatching(
        /^fs\/fuse\/acl\.c: In function .broken.:\nfs\/fuse\/acl\.c:\d+:\d+: error: /,
      ),
    });
  });

  test.each(["fs/nfsd/nope.c", "arch/arm/kernel/setup.c", "__proto__", "fs/ext4/ext4.h"])(
    "refuses %s, which is no unit",
    async (unit) => {
      await expect(compile(unit)).rejects.toMatchObject({ name: "UnitNotCompiled" });
    },
  );

  test("refuses another compiler", async () => {
    const other = { ...tree, compiler: { command: "gcc-12", version: "gcc-12 (Debian 12.3.0-1) 12.3.0" } };
    const compiling = compileUnit(other, { unit: "fs/fuse/acl.c", sections: "split" }, { signal });
    await expect(compiling).rejects.toMatchObject({ name: "CompilerMismatch" });
  });
});

describe("unitsOf()", () => {
  test("names every header that the compiler read", async () => {
    for (const unit of ["fs/ext4/mballoc.c", "fs/fuse/dir.c", "fs/xfs/xfs_iops.c", "kernel/module/main.c"]) {
      const { dependencies } = await compile(unit);
      const unseen = dependencies.filter((path) => !units.unitsReading(path).includes(unit));
      expect(unseen).toEqual([]);
    }
  });

  test("has none that is made for a link alone, and all can be compiled but the images of the vDSO", async () => {
    const strange = await uncompilable(tree, units);
    expect(strange).toEqual(["arch/x86/entry/vdso/vdso-image-32.c", "arch/x86/entry/vdso/vdso-image-64.c"]);
    expect(await isCompilable(tree, "fs/nfsd/nope.c")).toBe(false);
    expect(await isCompilable(tree, "__proto__")).toBe(false);
  });

  test("a file that nothing reads touches nothing", () => {
    expect(units.unitsReading("arch/arm/include/asm/page.h")).toEqual([]);
    expect(units.units.has("fs/nfsd/nope.c")).toBe(false);
  });
});

describe("diffVersions()", () => {
  test("6.1.192-1 to 6.1.192-2 is one file, and the patch applies", async () => {
    const diff = await diffVersions({ from: "6.1.192-1", to: "6.1.192-2" }, quiet);
    expect(diff.files).toEqual([
      { path: "fs/ext4/mballoc.c", kind: "changed", addedLines: 14, removedLines: 14 },
    ]);
    const shadow = await shadowTree(tree.sourceDirectory, join(scratch, "patched"));
    await shadow.replace("fs/ext4/mballoc.c", (text) => text);
    execFileSync("patch", ["-p1", "--dry-run", "-d", shadow.root], { input: diff.text, stdio: "pipe" });
    const elsewhere = { from: "6.1.192-1", to: "6.1.192-2", paths: ["fs/ext4/super.c", "mm/"] };
    expect((await diffVersions(elsewhere, quiet)).files).toEqual([]);
  });

  test("a version that is not carried is refused with those that are", async () => {
    await expect(diffVersions({ from: "6.1.0-999", to: "6.1.192-2" }, quiet)).rejects.toMatchObject({
      name: "VersionNotCarried",
      carried: expect.arrayContaining(["6.1.192-2"]),
    });
  });
});
