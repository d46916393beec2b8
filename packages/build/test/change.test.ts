/** What `build()` makes of changes to the stock kernel: which functions it replaces, and why it refuses. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelTree } from "@kgraft/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, ChangeRefused, type LivePatch, NoFunctionalChange } from "../src/mod.ts";
import { buildEdits, diffOf, type Edit, testKernel } from "./kernel.ts";

let kernel: KernelTree;
let directory: string;

beforeAll(async () => {
  kernel = await testKernel();
  directory = await mkdtemp(join(tmpdir(), "kgraft-test-"));
});
afterAll(() => rm(directory, { recursive: true }));

const buildEdit = (...edits: readonly Edit[]): Promise<LivePatch> =>
  buildEdits(kernel, directory, "test", edits);

const grown: Edit = {
  path: "fs/ext4/mballoc.h",
  find: "struct ext4_prealloc_space {",
  replace: "struct ext4_prealloc_space {\n\tlong pa_new;",
};

const cmdline: Edit = {
  path: "fs/proc/cmdline.c",
  find: "seq_putc(m, '\\n');",
  replace: 'seq_puts(m, "!\\n");',
};

async function failureOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("build() of a real change", () => {
  test("replaces in each unit what a header's inline function changes there", async () => {
    const patch = await buildEdit({
      path: "fs/ext4/mballoc.h",
      find: "(fex->fe_start << EXT4_SB(sb)->s_cluster_bits);",
      replace:
        "(fex->fe_start << EXT4_SB(sb)->s_cluster_bits) + 0 * sb->s_blocksize_bits + (fex->fe_len == -7);",
    });
    expect(patch.units.map(({ unit }) => unit)).toEqual([
      "fs/ext4/balloc.c",
      "fs/ext4/fast_commit.c",
      "fs/ext4/fsmap.c",
      "fs/ext4/mballoc.c",
      "fs/ext4/super.c",
    ]);
    const replaced = new Set(patch.manifest.functions.map(({ unit }) => unit));
    expect([...replaced]).toEqual(["fs/ext4/mballoc.c"]);
  });

  test("replaces the same functions when a hundred line numbers move", async () => {
    const path = "fs/ext4/mballoc.c";
    const edit = {
      path,
      find: "while (order <= e4b->bd_blkbits + 1) {",
      replace: "while (order <= e4b->bd_blkbits + 2) {",
    };
    const moved = {
      path,
      find: '#include "ext4_jbd2.h"',
      replace: '/*\n * More\n * lines.\n */\n#include "ext4_jbd2.h"',
    };
    const [plain, shifted] = [await buildEdit(edit), await buildEdit(moved, edit)];
    expect(plain.manifest.functions.map(({ name }) => name)).toContain("mb_find_order_for_block");
    expect(shifted.manifest.functions).toEqual(plain.manifest.functions);
  });

  test("gives equal bytes for equal inputs", async () => {
    const read = async (): Promise<readonly Buffer[]> => {
      const { modulePath, manifestPath } = await buildEdit(cmdline);
      return Promise.all([readFile(modulePath), readFile(manifestPath)]);
    };
    expect(await read()).toEqual(await read());
  });

  test("leaves a structure as it is where the replaced code does not touch what is new of it", async () => {
    const fix = {
      path: "fs/ext4/mballoc.c",
      find: "\tpa->pa_deleted = 1;",
      replace: "\tpa->pa_deleted = 2;",
    };
    const [alone, both] = [await buildEdit(fix), await buildEdit(grown, fix)];
    expect(both.manifest.functions).toEqual(alone.manifest.functions);
    expect(both.warnings).toContainEqual(
      expect.objectContaining({ code: "kept-layout", subject: "struct ext4_prealloc_space" }),
    );
  });

  test.each<readonly [what: string, edit: Edit]>([
    ["grows a structure", grown],
    [
      "changes the order of a structure's members",
      {
        path: "drivers/block/loop.c",
        find: "\tloff_t\t\tlo_offset;\n\tloff_t\t\tlo_sizelimit;\n",
        replace: "\tloff_t\t\tlo_sizelimit;\n\tloff_t\t\tlo_offset;\n",
      },
    ],
  ])("refuses what %s and does nothing else", async (_, edit) => {
    const failure = await failureOf(buildEdit(edit));
    expect(failure).toBeInstanceOf(ChangeRefused);
    expect((failure as ChangeRefused).reasons).toEqual([
      expect.objectContaining({
        code: "changed-layout",
        message: expect.stringMatching(/member \w+ (was at offset \d+, is at \d+|is new, at offset \d+)/),
        hint: expect.stringContaining("shadow variable"),
      }),
    ]);
  });

  test("replaces a function once more where another unit includes its file", async () => {
    const patch = await buildEdit({
      path: "fs/binfmt_elf.c",
      find: "elf_ppnt->p_filesz < 2",
      replace: "elf_ppnt->p_filesz < 3",
    });
    expect(patch.manifest.functions.map(({ name, unit }) => [name, unit])).toEqual([
      ["load_elf_binary", "fs/binfmt_elf.c"],
      ["load_elf_binary", "fs/compat_binfmt_elf.c"],
    ]);
  });

  test("warns of an enumerator that data may hold with its old value", async () => {
    const patch = await buildEdit({
      path: "drivers/block/loop.c",
      find: "\tLo_unbound,\n",
      replace: "\tLo_new,\n\tLo_unbound,\n",
    });
    const moved = patch.warnings.filter(({ code }) => code === "moved-enumerator");
    expect(moved.map(({ message }) => message.replace(/:.*/, ""))).toEqual([
      "Lo_unbound was 0, is 1",
      "Lo_bound was 1, is 2",
      "Lo_rundown was 2, is 3",
    ]);
  });

  test("takes a header that assembly reads, where the assembly stays what it is", async () => {
    const patch = await buildEdit(cmdline, {
      path: "arch/x86/entry/calling.h",
      find: ".macro CLEAR_REGS",
      replace: "/* Another\n * comment. */\n.macro CLEAR_REGS",
    });
    expect(patch.manifest.functions.map(({ name }) => name)).toEqual(["cmdline_proc_show"]);
  });

  test("takes a header that is read by what a build makes too, such as the kernel's version", async () => {
    const patch = await buildEdit(cmdline, {
      path: "include/linux/uts.h",
      find: "#define _LINUX_UTS_H",
      replace: "#define _LINUX_UTS_H\n#define UTS_OF_NOBODY 1",
    });
    expect(patch.manifest.functions.map(({ name }) => name)).toEqual(["cmdline_proc_show"]);
    expect(patch.units.map(({ unit }) => unit)).toContain("init/version.c");
  });

  test("finds no functional change in comments and white space", async () => {
    const failure = await failureOf(
      buildEdit({ path: "fs/proc/cmdline.c", find: "return 0;", replace: "/* done */\n\n\treturn 0;" }),
    );
    expect(failure).toBeInstanceOf(NoFunctionalChange);
  });

  test("finds no functional change in a weak function that another unit's has taken the place of", async () => {
    const failure = await failureOf(
      buildEdit({
        path: "kernel/cpu.c",
        find: "void __weak arch_smt_update(void) { }",
        replace: 'void __weak arch_smt_update(void) { pr_info("never\\n"); }',
      }),
    );
    expect(failure).toBeInstanceOf(NoFunctionalChange);
  });
});

describe("build() of a change that no live patch can carry", () => {
  const rejections: Readonly<
    Record<string, readonly [edits: readonly Edit[], code: string, subject: string]>
  > = {
    "a structure that grows by a member that is used": [
      [
        grown,
        {
          path: "fs/ext4/mballoc.c",
          find: "\tpa->pa_deleted = 1;",
          replace: "\tpa->pa_deleted = 1;\n\tpa->pa_new = 1;",
        },
      ],
      "changed-layout",
      "struct ext4_prealloc_space",
    ],
    "a header's macro that assembly uses": [
      [
        cmdline,
        {
          path: "arch/x86/entry/calling.h",
          find: ".macro CLEAR_REGS",
          replace: ".macro CLEAR_REGS\n\tnop",
        },
      ],
      "changed-assembly",
      "arch/x86/entry/entry_64.S",
    ],
    "code of the vDSO": [
      [
        cmdline,
        {
          path: "lib/vdso/gettimeofday.c",
          find: "return __cvdso_time_data(__arch_get_vdso_data(), time);",
          replace: "return __cvdso_time_data(__arch_get_vdso_data(), time) + 1;",
        },
      ],
      "own-image",
      "lib/vdso/gettimeofday.c",
    ],
    "a member that becomes another type": [
      [
        {
          path: "fs/ext4/mballoc.h",
          find: "unsigned short\t\tpa_type;",
          replace: "unsigned int\t\tpa_type;",
        },
      ],
      "changed-layout",
      "struct ext4_prealloc_space",
    ],
    "a function of the boot": [
      [{ path: "fs/proc/cmdline.c", find: '"cmdline", 0', replace: '"cmdline2", 0' }],
      "changed-init",
      "proc_cmdline_init",
    ],
    "an initial value": [
      [
        {
          path: "kernel/panic.c",
          find: "unsigned long panic_on_taint;",
          replace: "unsigned long panic_on_taint = 1;",
        },
      ],
      "changed-data",
      "panic_on_taint",
    ],
    "a module parameter": [
      [
        {
          path: "drivers/block/loop.c",
          find: "static int max_part;",
          replace: "static int max_part;\nstatic int fresh;\nmodule_param(fresh, int, 0444);",
        },
      ],
      "changed-section",
      "__param",
    ],
    // The kernel compiles all code of .exit.text without tracing (include/linux/init.h).
    "what a module does when it goes": [
      [
        {
          path: "drivers/block/loop.c",
          find: '\tunregister_blkdev(LOOP_MAJOR, "loop");\n\tmisc_deregister(',
          replace: '\tpr_info("loop goes\\n");\n\tunregister_blkdev(LOOP_MAJOR, "loop");\n\tmisc_deregister(',
        },
      ],
      "no-traced-entry",
      "cleanup_module",
    ],
    "a function that makes way for a weak one": [
      [
        {
          path: "arch/x86/events/core.c",
          find: "void arch_perf_update_userpage(struct perf_event *event,",
          replace: "void kgraft_unused(struct perf_event *event,",
        },
      ],
      "moved-symbol",
      "arch_perf_update_userpage",
    ],
    "a function that is not traced": [
      [
        {
          path: "kernel/time/timekeeping.c",
          find: "now += fast_tk_get_delta_ns(tkr);",
          replace: "now += fast_tk_get_delta_ns(tkr) + 1;",
        },
      ],
      "no-traced-entry",
      "ktime_get_mono_fast_ns",
    ],
  };

  test.each(Object.entries(rejections))(
    "refuses %s and writes nothing",
    async (_, [edits, code, subject]) => {
      const before = await readdir(directory);
      const failure = await failureOf(buildEdits(kernel, directory, "refused", edits));
      expect(failure).toBeInstanceOf(ChangeRefused);
      const { reasons } = failure as ChangeRefused;
      expect(reasons).toEqual(expect.arrayContaining([expect.objectContaining({ code, subject })]));
      expect(await readdir(directory)).toEqual(before);
    },
  );

  test("is told of a name that nothing defines", async () => {
    const failure = await failureOf(
      buildEdit({
        path: "fs/proc/cmdline.c",
        find: "seq_putc(m, '\\n');",
        replace: "extern void nowhere(struct seq_file *m);\n\n\tnowhere(m);",
      }),
    );
    expect((failure as ChangeRefused).reasons).toMatchObject([
      { code: "undefined-symbol", subject: "nowhere" },
    ]);
  });

  test("shows the compiler's own words when the changed source does not compile", async () => {
    const failure = await failureOf(
      buildEdit({ path: "fs/proc/cmdline.c", find: "return 0;", replace: "return nonsense;" }),
    );
    expect(failure).toMatchObject({ name: "CompileFailed" });
    expect((failure as { hint: string }).hint).toContain("error: 'nonsense' undeclared");
  });

  test("stops when it is told to, and leaves nothing", async () => {
    const stop = new AbortController();
    const patch = await diffOf(kernel, "stopped", [
      { path: "fs/ext4/inode.c", find: "return 0;", replace: `return ${Date.now() % 1000} * 0;` },
    ]);
    const before = await readdir(directory);
    const attempt = failureOf(
      build(
        { kernel, patches: [patch], directory },
        {
          onProgress: () => setTimeout(() => stop.abort(new Error("told to stop")), 300),
          signal: stop.signal,
        },
      ),
    );
    expect(await attempt).toMatchObject({ message: expect.stringMatching(/told to stop|abort/i) });
    expect(await readdir(directory)).toEqual(before);
  });
});
