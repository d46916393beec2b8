/** What verify makes of files as it finds them; that they are so in a kernel is shown in test/verify.test.ts. */
import { describe, expect, test } from "vitest";
import { kcoreFile } from "../../test/kcore.ts";
import { idleMachine, livePatchFiles, type Machine, makeMachine, manifestText } from "../../test/machine.ts";
import { livePatchInfo, moduleFile } from "../../test/module.ts";

const functionAt = -0x7effff00n; // ffffffff81000100
const trampoline = -0x3fba5000n; // ffffffffc045b000
const call = Buffer.from("e8000000000000000000", "hex").subarray(0, 9);
call.writeInt32LE(Number(trampoline - functionAt - 5n), 1);

function machine(files: Readonly<Record<string, string | Uint8Array>> = {}): Machine {
  return makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 0),
    "/run/kgr/lp_demo.json": manifestText({
      functions: [
        {
          object: "vmlinux",
          name: "cmdline_proc_show",
          sympos: 0,
          unit: "a.c",
          originalSizeBytes: 1,
          replacementSizeBytes: 1,
        },
      ],
    }),
    "/proc/kcore": kcoreFile([{ address: functionAt, bytes: call }]),
    "/proc/kallsyms":
      "ffffffff81000100 t cmdline_proc_show\nffffffff81000200 T ftrace_caller\nffffffff81000300 T ftrace_regs_caller\n",
    "/sys/kernel/tracing/enabled_functions":
      "cmdline_proc_show (1)   I  \ttramp: 0xffffffffc045b000 (klp_ftrace_handler+0x0/0x1) ->klp_ftrace_handler+0x0/0x1\n",
    ...files,
  });
}

test("kgr verify proves what is right", async () => {
  expect(await machine().kgr("verify")).toEqual({
    status: 0,
    out: "lp_demo: proven, functions: 1\n",
    err: "",
  });
});

/** Memory with these bytes where the function begins. */
function memory(hex: string): Record<string, Uint8Array> {
  return { "/proc/kcore": kcoreFile([{ address: functionAt, bytes: Buffer.from(hex, "hex") }]) };
}
/** What ftrace says. */
function record(line: string): Record<string, string> {
  return { "/sys/kernel/tracing/enabled_functions": `${line}\n` };
}

test("kgr verify proves a function with several users by the caller that they share", async () => {
  const users = record("cmdline_proc_show (2) R I  \t->arch_ftrace_ops_list_func+0x0/0x1");
  const files = { ...memory("e8fb010000000000ff"), ...users };
  expect(await machine(files).kgr("-v", "verify")).toMatchObject({
    status: 0,
    out: expect.stringContaining(
      "calls ftrace_regs_caller\n        other user: other users of ftrace: 1\n",
    ) as string,
  });
});

describe("kgr verify names what is wrong: 1", () => {
  test.each<[string, Record<string, string | Uint8Array>, string]>([
    ["a nop", memory("0f1f44000000000000"), "its entry in memory calls nobody: the original runs"],
    ["a jump", memory("e90000000000000000"), "its entry in memory is no call of ftrace's"],
    [
      "a call of the wrong caller",
      memory("e8fb010000000000ff"),
      "its entry in memory calls ftrace_regs_caller+0x0, which is not what ftrace has put there",
    ],
    ["no record", record(""), "ftrace has no record of it"],
    [
      "a record without I",
      record("cmdline_proc_show (1) R    \t->x+0x0/0x1"),
      "does not let a live patch redirect it",
    ],
    [
      "another's record",
      record("cmdline_proc_show (1)   I  \ttramp: 0xffffffffc045b000 (evil+0x0/0x1) ->evil+0x0/0x1"),
      "ftrace leads it to evil, wanted klp_ftrace_handler",
    ],
    [
      "sysfs",
      { "/sys/kernel/livepatch/lp_demo/vmlinux/patched": "0\n" },
      "the livepatch core has not patched vmlinux",
    ],
  ])("%s", async (_, files, message) => {
    const { status, out } = await machine(files).kgr("verify");
    expect(status).toBe(1);
    expect(out).toContain(message);
    expect(out).toMatch(/^lp_demo: wrong: vmlinux:cmdline_proc_show: /);
  });

  test("a signature that its file does not have", async () => {
    const host = machine({
      "/sys/module/module/parameters/sig_enforce": "N\n",
      "/sys/module/lp_demo/taint": "OK\n",
      "/run/kgr/load-history.json": '[{"name":"lp_demo","path":"/p/lp_demo.ko"}]',
      "/p/lp_demo.ko": moduleFile(livePatchInfo),
    });
    const { status, out } = await host.kgr("-v", "verify");
    expect(status).toBe(1);
    expect(out).toContain("    the kernel has verified a signature, but /p/lp_demo.ko has none\n");
  });
});

describe("kgr verify says what cannot be told: 7", () => {
  test.each<[string, Record<string, string | Uint8Array>, string]>([
    [
      "kcore is no ELF file",
      { "/proc/kcore": "x".repeat(100) },
      "cannot read /proc/kcore: it is no ELF core file",
    ],
    [
      "kcore lacks the address",
      { "/proc/kcore": kcoreFile([]) },
      "vmlinux:cmdline_proc_show: /proc/kcore does not show the memory at ffffffff81000100",
    ],
    [
      "another processor",
      { "/proc/kcore": kcoreFile([], 40) },
      "how functions begin on processors of ELF machine 40",
    ],
    ["no symbols", { "/proc/kallsyms": "" }, "vmlinux:cmdline_proc_show: /proc/kallsyms shows no addresses"],
    [
      "not this symbol",
      { "/proc/kallsyms": "ffffffff81000200 T ftrace_caller\n" },
      "vmlinux:cmdline_proc_show: /proc/kallsyms does not list it",
    ],
  ])("%s", async (_, files, message) => {
    const { status, out, err } = await machine(files).kgr("verify");
    expect({ status, err }).toEqual({ status: 7, err: "     see what is missing with: kgr -v verify\n" });
    expect(out).toContain(`lp_demo: cannot be proven: ${message}`);
  });
});

test("kgr verify refuses kGraft's own kernel: 2", async () => {
  const host = makeMachine({ ...idleMachine, "/sys/kernel/kgraft/in_progress": "0\n" });
  expect(await host.kgr("verify")).toMatchObject({ status: 2, out: "" });
});
