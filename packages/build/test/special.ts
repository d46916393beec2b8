/**
 * Each special section of the kernel in a guest: one live patch whose functions use all of them, loaded into the stock
 * kernel, and each outcome looked at.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ElfObject, readObject, sectionOf } from "@kgraft/elf";
import { bootGuest, type Guest } from "@kgraft/lab";
import type { KernelTree } from "@kgraft/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildEdits, type Edit, type Suite, testKernel } from "./kernel.ts";
import { settled } from "./settled.ts";

async function edits(kernel: KernelTree): Promise<readonly Edit[]> {
  const sleepers = ["kernel/time/sleep_timeout.c", "kernel/time/hrtimer.c"]; // it moved to the first in 6.14
  const files = ["rewritten.c", "special.c"].map((name) => readFile(join(import.meta.dirname, name), "utf8"));
  const code = (await Promise.all(files)).join("\n");
  return [
    {
      path: "fs/proc/version.c",
      find: "static int version_proc_show(struct seq_file *m, void *v)\n{",
      replace: `${code}\nstatic int version_proc_show(struct seq_file *m, void *v)\n{\n\tshow_all(m);`,
    },
    // A static local that the running kernel has in use: it keeps its value.
    {
      path: "fs/drop_caches.c",
      find: "\t\tif (!stfu) {",
      replace: '\t\tpr_info("kgraft: the static local is %d\\n", stfu);\n\t\tif (!stfu) {',
    },
    // .data..read_mostly: variables of the running kernel, and a new one of the live patch.
    {
      path: "mm/util.c",
      find: "unsigned long vm_commit_limit(void)\n{",
      replace:
        "static unsigned long kgraft_spare __read_mostly = 1000;\nunsigned long vm_commit_limit(void)\n{",
    },
    {
      path: "mm/util.c",
      find: "\tallowed += total_swap_pages;",
      replace: "\tallowed += total_swap_pages + READ_ONCE(kgraft_spare);",
    },
    // .sched.text: the call of its neighbour has no relocation in the object.
    {
      path: sleepers.find((path) => existsSync(join(kernel.sourceDirectory, path)))!, // one is always there
      find: "\treturn schedule_hrtimeout_range_clock(expires, delta, mode,\n\t\t\t\t\t      CLOCK_MONOTONIC);",
      replace:
        '\tpr_info_once("kgraft: a task waits\\n");\n\treturn schedule_hrtimeout_range_clock(expires, delta, mode,\n\t\t\t\t\t      CLOCK_MONOTONIC);',
    },
  ];
}

/** Loads them into a guest of the suite's kernel. */
export function describeSpecialSections(suite: Suite): void {
  describe(`a live patch with every special section, ${suite}`, () => {
    specialSections(suite);
  });
}

function specialSections(suite: Suite): void {
  let directory: string;
  let guest: Guest;
  let module: ElfObject;
  let shown: readonly string[];
  let limitBefore: number;

  const run = async (command: string): Promise<string> => {
    const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 60_000 });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    return stdout.trim();
  };
  const load = (name: string): Promise<string> => run(`insmod /root/${name}.ko; ${settled(name)}`);
  const revert = (name: string): Promise<string> =>
    run(`echo 0 >/sys/kernel/livepatch/${name}/enabled; ${settled(name)}; rmmod ${name}`);
  const commitLimitKb = async (): Promise<number> =>
    Number(/CommitLimit:\s+(\d+) kB/.exec(await run("cat /proc/meminfo"))?.[1]);
  const log = (text: string): Promise<string> => run(`dmesg | grep -c '${text}' || true`);

  beforeAll(async () => {
    const kernel = await testKernel(suite);
    directory = await mkdtemp(join(tmpdir(), "kgraft-special-"));
    const special = await buildEdits(kernel, directory, "special", await edits(kernel));
    module = readObject(bytesSource("special.ko", await readFile(special.modulePath)));
    const files = [{ path: "/root/special.ko", source: special.modulePath }];
    // One processor and no mitigations: so that the kernel has something to rewrite in each table.
    const kernelParameters = ["mitigations=off"];
    guest = await bootGuest({ kernel, files, cpus: 1, kernelParameters, timeoutMs: 180_000 });
    await run("echo 4 >/proc/sys/vm/drop_caches");
    limitBefore = await commitLimitKb();
    await load("special");
    shown = (await run("cat /proc/version")).split("\n");
  });

  afterAll(async () => {
    await guest.shutdown();
    await rm(directory, { recursive: true });
  });

  test.each([
    ["__ex_table: a fault in the kernel's code is handled", "fault: -14 64"],
    ["__ex_table: faults in the patch's own code are handled", "exception: -14 -14"],
    ["__bug_table: a warning returns", "warning: went on"],
    ["__jump_table: keys of vmlinux and of the patch", "branch: vmlinux off, own off, then on"],
    [".static_call_sites: calls of vmlinux and of the patch", "call: 1 then 2, plain"],
    [".parainstructions, or .altinstructions: a call through a pointer", "paravirt: 1, plain"],
    [".retpoline_sites: a call through a register", "retpoline: 42, by register"],
    [".return_sites: a return", "return: plain"],
    [".noinstr.text: code that is not traced", "noinstr: 42"],
    [".altinstructions, .altinstr_aux: what the processor can", "alternative: tsc lm no k6"],
    [".smp_locks: a locked instruction", "atomic: 1"],
    ["tables of a switch and of strings", "switch: nought one two three four five many"],
    [".cold: the unlikely part", "cold: has run"],
    ["messages", "messages: said"],
    ["runtime_ptr_USER_PTR_MAX: the constant is loaded", "constant: 1 0"],
  ])("%s", (_, line) => {
    expect(shown).toContain(line);
  });

  // A kernel without IBT has no landing places, and none of them to seal.
  test(".ibt_endbr_seal: what is only called is no landing place any more", () => {
    expect(shown).toContain(suite === "bookworm" ? "seal: sealed, sealed" : "seal: sealed, open");
  });

  // The kernel reads it only where it counts the depth of calls, which no processor of a guest asks for.
  test(".call_sites: the calls of each function", () => {
    const sites = module.sections.find(({ name }) => name === ".call_sites");
    const callers = new Set(sites?.relocations.map(({ symbol }) => sectionOf(symbol)?.name));
    const wanted = [".text.show_fault", ".text.version_proc_show", ".text.vm_commit_limit"];
    expect(wanted.filter((name) => callers.has(name))).toEqual(suite === "bookworm" ? [] : wanted);
  });

  test(".noinstr.text: kprobes keep away from it", async () => {
    expect(await run("grep quiet /sys/kernel/debug/kprobes/blacklist")).toMatch(/\tquiet \[special\]$/);
  });

  test("__mcount_loc: what is traced of the patch", async () => {
    const traced = await run("grep -F '[special]' /sys/kernel/debug/tracing/available_filter_functions");
    expect(traced.split("\n")).toEqual(
      expect.arrayContaining(["version_proc_show [special]", "show_fault [special]"]),
    );
    expect(traced).not.toMatch(/^quiet/m);
  });

  test(".orc_unwind: the stack is walked through the patch", async () => {
    expect(await run("dmesg | grep -v ' ? '")).toMatch(
      /version_proc_show\+\S+ \[special\]\n[^\n]* seq_read_iter\+/,
    );
  });

  test(".data..read_mostly: variables of vmlinux and of the patch", async () => {
    expect(await commitLimitKb()).toBe(limitBefore + 4 * 1000);
    await run("echo 0 >/proc/sys/vm/overcommit_ratio");
    expect(await commitLimitKb()).toBe(4 * 1000);
    await run("echo 50 >/proc/sys/vm/overcommit_ratio");
  });

  test(".data..percpu: variables of vmlinux and of the patch", () => {
    expect(shown).toContainEqual(expect.stringMatching(/^percpu: 1 times, cpu [01], task cat$/));
  });

  test("__bug_table: the warning names its file and its function", async () => {
    expect(await run("dmesg")).toMatch(/WARNING: .*fs\/proc\/version\.c:\d+ (at )?show_warning/);
    expect(await log("a warning of the live patch")).toBe("1");
  });

  test("__jump_table: a key of vmlinux that is switched while the patch is in force", async () => {
    await run("echo 1 >/proc/sys/kernel/sched_schedstats");
    expect(await run("grep branch: /proc/version")).toMatch("vmlinux on");
    await run("echo 0 >/proc/sys/kernel/sched_schedstats");
    expect(await run("grep branch: /proc/version")).toMatch("vmlinux off");
  });

  test("__dyndbg: a debug message that is switched on", async () => {
    expect(await log("said when asked for")).toBe("0");
    await run("echo 'module special +p' >/sys/kernel/debug/dynamic_debug/control; cat /proc/version");
    expect(await log("said when asked for")).toBe("1");
  });

  test(".data.once: what is said once", async () => {
    expect(await log("kgraft: said once")).toBe("1");
  });

  test("__tracepoints: a tracepoint of vmlinux that is switched on", async () => {
    const trace = "/sys/kernel/debug/tracing";
    await run(`echo 1 >${trace}/events/sched/sched_kthread_stop_ret/enable; cat /proc/version`);
    expect(await run(`cat ${trace}/trace`)).toMatch(/sched_kthread_stop_ret: ret=4711/);
    await run(`echo 0 >${trace}/events/sched/sched_kthread_stop_ret/enable`);
  });

  test("a static local keeps its value", async () => {
    expect(await log("drop_caches: 3")).toBe("0");
    await run("echo 3 >/proc/sys/vm/drop_caches");
    expect(await log("kgraft: the static local is 4")).toBe("1");
    expect(await log("drop_caches: 3")).toBe("0");
  });

  test(".sched.text: a function that calls its neighbour of the same section", async () => {
    expect(await run("read -t 1 word </dev/zero; sleep 1 | read -t 3 word; echo done")).toBe("done");
    expect(await log("kgraft: a task waits")).toBe("1");
  });

  test("everything is as it was after it is reverted", async () => {
    await revert("special");
    expect(await run("cat /proc/version")).toMatch(/^Linux version [^\n]+$/);
    expect(await run("cat /sys/kernel/debug/tracing/enabled_functions")).toBe("");
    expect(await run("echo 1 >/proc/sys/vm/drop_caches; dmesg | grep -c 'static local'")).toBe("1");
  });

  test("the only complaints are the warnings that were asked for", () => {
    const complaints = guest.consoleText.match(/^.*(WARNING:|BUG:|Oops|[Ii]nvalid relocation).*$/gm) ?? [];
    expect(complaints.length).toBeGreaterThan(0);
    expect(complaints.filter((line) => !/fs\/proc\/version\.c:\d+ (at )?show_warning/.test(line))).toEqual(
      [],
    );
  });
}
