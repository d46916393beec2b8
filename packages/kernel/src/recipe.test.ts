import { describe, expect, test } from "vitest";
import { parseDelayedObjtool, parseRecipe, splitCommands } from "./recipe.ts";

const trap = `trap 'rm -f X; trap - PIPE; kill -s PIPE $$' PIPE; `;
const ext4 = `set -e;  echo '  CC      fs/ext4/mballoc.o';  ${trap}gcc-12 -Wp,-MMD,fs/ext4/.mballoc.o.d -nostdinc -D__KERNEL__ -fmacro-prefix-map=./= -DKBUILD_MODFILE='"fs/ext4/ext4"' -DKBUILD_BASENAME='"mballoc"' -DKBUILD_MODNAME='"ext4"' -c -o fs/ext4/mballoc.o fs/ext4/mballoc.c   ; ./tools/objtool/objtool --orc --uaccess   fs/ext4/mballoc.o; scripts/basic/fixdep fs/ext4/.mballoc.o.d fs/ext4/mballoc.o 'gcc-12 -Wp,-MMD,fs/ext4/.mballoc.o.d -D__KERNEL__ -c -o fs/ext4/mballoc.o fs/ext4/mballoc.c   ; ./tools/objtool/objtool fs/ext4/mballoc.o' > fs/ext4/.mballoc.o.cmd; rm -f fs/ext4/.mballoc.o.d`;
const kvm = `gcc-12 -Wp,-MMD,arch/x86/kvm/../../../virt/kvm/.kvm_main.o.d -D__KERNEL__ -DMODULE -DKBUILD_MODNAME='"kvm"' -c -o arch/x86/kvm/../../../virt/kvm/kvm_main.o arch/x86/kvm/../../../virt/kvm/kvm_main.c`;

describe("parseRecipe()", () => {
  test("a built-in unit, with what runs on its object", () => {
    expect(parseRecipe(ext4)).toEqual({
      unit: "fs/ext4/mballoc.c",
      source: "fs/ext4/mballoc.c",
      object: "fs/ext4/mballoc.o",
      compile: [
        "gcc-12",
        "-Wp,-MMD,@depfile",
        "-nostdinc",
        "-D__KERNEL__",
        "-fmacro-prefix-map=./=",
        '-DKBUILD_MODFILE="fs/ext4/ext4"',
        '-DKBUILD_BASENAME="@name"',
        '-DKBUILD_MODNAME="ext4"',
        "-c",
        "-o",
        "@object",
        "@source",
      ],
      after: [["./tools/objtool/objtool", "--orc", "--uaccess", "@object"]],
      moduleName: null,
    });
  });

  test("a module's unit that is spelled through another directory", () => {
    expect(parseRecipe(kvm)).toMatchObject({
      unit: "virt/kvm/kvm_main.c",
      source: "arch/x86/kvm/../../../virt/kvm/kvm_main.c",
      moduleName: "kvm",
      after: [],
    });
  });

  test.each([
    ["a host program", "gcc -Wp,-MMD,scripts/.x.o.d -c -o scripts/x.o scripts/x.c"],
    ["assembly", "gcc-12 -Wp,-MMD,a/.x.o.d -D__KERNEL__ -D__ASSEMBLY__ -c -o a/x.o a/x.S"],
    ["a listing", "gcc-12 -Wp,-MMD,a/.x.s.d -D__KERNEL__ -S -o a/x.s a/x.c"],
    [
      "genksyms",
      "if nm x.o | grep -q __ksymtab; then gcc-12 -E -Wp,-MMD,a/.x.o.d -D__KERNEL__ a/x.c | genksyms; fi",
    ],
    ["something else", "set -e; echo '  LD      vmlinux.o'; ld -r -o vmlinux.o"],
  ])("leaves out %s", (_, line) => expect(parseRecipe(line)).toBeUndefined());
});

describe("parseDelayedObjtool()", () => {
  const link = "set -e; ld -m elf_x86_64 -r -o fs/xfs/xfs.o @fs/xfs/xfs.mod ; ./tools/objtool/objtool";
  test("a module's link", () => {
    const words = parseDelayedObjtool(`${link} --hacks=noinstr --ibt   --orc --link --module fs/xfs/xfs.o`);
    expect(words).toEqual([
      "./tools/objtool/objtool",
      "--hacks=noinstr",
      "--ibt",
      "--orc",
      "--link",
      "--module",
    ]);
  });

  test.each([
    ["one unit's", ext4],
    ["vmlinux's link", `${link} --ibt --orc --noinstr --link vmlinux.o`],
    ["a link without", "set -e; ld -m elf_x86_64 -r -o fs/xfs/xfs.o @fs/xfs/xfs.mod"],
  ])("leaves out %s", (_, line) => expect(parseDelayedObjtool(line)).toBeUndefined());
});

describe("splitCommands()", () => {
  test.each([
    [`a 'b c' "d;e" f\\ g; h`, [["a", "b c", "d;e", "f g"], ["h"]]],
    [`-D'X="y"'`, [['-DX="y"']]],
    [`-D"X=\\"y\\""`, [['-DX="y"']]],
    [" ; ;a", [["a"]]],
    ["a ''", [["a", ""]]],
  ])("%s", (line, wanted) => expect(splitCommands(line)).toEqual(wanted));
});
