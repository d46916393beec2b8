/** kgr verify in a real kernel: what is in force, what is undone behind ftrace's back, and who else is there. */
import type { VerifyReport } from "@kgraft/contract";
import type { CommandResult, Guest } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootWithManifests } from "./guest.ts";

let guest: Guest;

beforeAll(async () => {
  guest = await bootWithManifests({
    lp_demo: ["vmlinux:cmdline_proc_show"],
    lp_stack: ["vmlinux:cmdline_proc_show", "lp_sleep:lp_sleep_task", "lp_sleep:lp_sleep_thread"],
  });
  await run("mkdir -p /sys/kernel/security && mount -t securityfs none /sys/kernel/security");
});
afterAll(async () => {
  await guest.shutdown();
});

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 90_000 });
}

/** The document, and the exit code that goes with it. */
async function verify(): Promise<VerifyReport & { status: number }> {
  const { stdout, status } = await run("kgr verify --json");
  return { status, ...(JSON.parse(stdout) as VerifyReport) };
}

const addressOf = (name: string): string => `$(awk '$3 == "${name}" { print "0x" $1; exit }' /proc/kallsyms)`;

test("says that nothing is in force", async () => {
  expect(await run("kgr verify")).toEqual({ status: 0, stdout: "no live patch is in force\n", stderr: "" });
});

describe("a live patch that is in force", () => {
  beforeAll(async () => {
    await run("kgr load /p/lp_demo.ko");
  });
  afterAll(async () => {
    await run("kgr unload lp_demo");
  });

  test("is proven by memory, ftrace, sysfs, manifest, file and notes", async () => {
    expect(await verify()).toMatchObject({
      status: 0,
      result: "proven",
      release: "6.1.0-55-cloud-amd64",
      lockdown: "none",
      patches: [
        {
          name: "lp_demo",
          result: "proven",
          findings: [],
          signature: "none",
          file: "/p/lp_demo.ko",
          functions: [
            {
              object: "vmlinux",
              name: "cmdline_proc_show",
              result: "proven",
              loaded: true,
              address: expect.stringMatching(/^ffffffff[0-9a-f]{8}$/) as string,
              entry: expect.stringMatching(/^e8[0-9a-f]{16}$/) as string,
              calls: "klp_ftrace_handler",
              otherUsers: [],
            },
          ],
        },
      ],
    });
    expect(await run("kgr verify")).toEqual({
      status: 0,
      stdout: "lp_demo: proven, functions: 1\n",
      stderr: "",
    });
    expect((await run("kgr -v verify")).stdout).toMatch(
      /^lp_demo: proven, functions: 1\n {4}file: \/p\/lp_demo.ko\n {4}signature: none\n {4}vmlinux:cmdline_proc_show: redirected, at ffffffff\w{8}, entry e8\w{16}, calls klp_ftrace_handler\n$/,
    );
  });

  test("is refused to an ordinary user", async () => {
    expect(await run("start-stop-daemon -S -c nobody -x /bin/kgr -- verify")).toMatchObject({
      status: 77,
      stdout: "",
    });
  });

  test("is wrong when its entry is a nop again, and the original runs", async () => {
    await run(`insmod /p/lp_undo.ko address=${addressOf("cmdline_proc_show")}`);
    expect((await run("cat /proc/cmdline")).stdout).not.toContain("live patched");
    const result = await run("kgr verify");
    await run("rmmod lp_undo");
    expect(result).toEqual({
      status: 1,
      stdout:
        "lp_demo: wrong: vmlinux:cmdline_proc_show: its entry in memory calls nobody: the original runs\n",
      stderr: "     see each function with: kgr -v verify; take it out with: kgr unload lp_demo\n",
    });
    expect(await verify()).toMatchObject({ status: 0, result: "proven" });
  });

  test("is wrong when its entry calls someone else, who is named", async () => {
    await run(`insmod /p/lp_undo.ko elsewhere=1 address=${addressOf("cmdline_proc_show")}`);
    const { stdout, status } = await run("kgr verify");
    await run("rmmod lp_undo");
    expect({ stdout, status }).toEqual({
      status: 1,
      stdout:
        "lp_demo: wrong: vmlinux:cmdline_proc_show: its entry in memory calls lp_undo_nobody+0x0 [lp_undo], " +
        "which is not what ftrace has put there\n",
    });
  });

  test("is proven beside a kprobe and a tracer, which are named", async () => {
    await run(
      "cd /sys/kernel/tracing; echo 'p:mine cmdline_proc_show' >kprobe_events; echo 1 >events/kprobes/mine/enable;" +
        "echo cmdline_proc_show >set_ftrace_filter; echo function >current_tracer",
    );
    const report = await verify();
    const { stdout } = await run("kgr verify");
    await run(
      "cd /sys/kernel/tracing; echo nop >current_tracer; echo 0 >events/kprobes/mine/enable; echo >kprobe_events",
    );
    expect(report).toMatchObject({ status: 0, result: "proven" });
    expect(report.patches[0]?.functions[0]).toMatchObject({
      calls: "ftrace_regs_caller",
      otherUsers: [
        "kprobe event kprobes/mine at cmdline_proc_show+0x0",
        "other users of ftrace: 1 (tracer: function)",
      ],
    });
    expect(stdout).toBe("lp_demo: proven, functions: 1; other users of them: 2\n");
  });

  test.each([
    ["is damaged", "echo '{' >/run/kgr/lp_demo.json", "cannot read manifest /run/kgr/lp_demo.json"],
    ["is gone", "rm /run/kgr/lp_demo.json", "it has no manifest"],
    [
      "names another function",
      "sed -i s/cmdline_proc_show/version_proc_show/ /run/kgr/lp_demo.json",
      "functions: found vmlinux:cmdline_proc_show,1, its manifest wants vmlinux:version_proc_show,1",
    ],
    [
      "is another kernel's",
      'sed -i \'s/"buildId":"..../"buildId":"0000/\' /run/kgr/lp_demo.json',
      "kernel build id: found ",
    ],
    [
      "is another file's",
      'sed -i \'s/"sha256":"......../"sha256":"00000000/\' /run/kgr/lp_demo.json',
      "/p/lp_demo.ko is not the file of its manifest: its SHA-256 is another",
    ],
  ])("is wrong when its manifest %s", async (_, change, message) => {
    await run(`cp /run/kgr/lp_demo.json /tmp/kept; ${change}`);
    const { stdout, status } = await run("kgr verify");
    await run("cp /tmp/kept /run/kgr/lp_demo.json");
    expect(status).toBe(1);
    expect(stdout).toContain(`lp_demo: wrong: ${message}`);
  });

  test("is wrong when its file is another, and proven when it is gone", async () => {
    await run("cp /p/lp_demo.ko /tmp/demo.ko; cp /p/lp_block.ko /p/lp_demo.ko");
    const { stdout } = await run("kgr -v verify");
    expect(stdout).toContain("/p/lp_demo.ko is not the file of its manifest");
    expect(stdout).toContain("/p/lp_demo.ko is not what is loaded: its .note.gnu.build-id is another");
    await run("rm /p/lp_demo.ko");
    expect(await verify()).toMatchObject({ status: 0, patches: [{ file: null, signature: "unverified" }] });
    await run("cp /tmp/demo.ko /p/lp_demo.ko");
    expect(await verify()).toMatchObject({ status: 0 });
  });

  test("is wrong without a verified signature where the policy wants one", async () => {
    await run("mkdir -p /etc/kgr; echo UNSIGNED_MODULE=refuse >/etc/kgr/kgr.conf");
    const { stdout, status } = await run("kgr verify");
    await run("rm /etc/kgr/kgr.conf");
    expect(status).toBe(1);
    expect(stdout).toContain("the kernel has not verified its signature, and the policy wants that");
  });
});

describe("a live patch that nobody knows", () => {
  test("is told, beside one that is proven", async () => {
    await run("kgr load /p/lp_demo.ko; insmod /p/lp_stack.ko; kgr wait --timeout 60");
    expect(await run("kgr verify")).toMatchObject({
      status: 1,
      stdout:
        "lp_demo: proven, functions: 1\n" +
        "lp_stack: wrong: it has no manifest: nothing tells what it is for, or who loaded it\n",
    });
    await run("kgr unload lp_stack");
  });
});

describe("a live patch of a module that comes and goes", () => {
  beforeAll(async () => {
    await run("kgr load /p/lp_stack.ko");
  });

  test("is proven without it: there is nothing to redirect", async () => {
    expect(await verify()).toMatchObject({ status: 0 });
    expect((await run("kgr -v verify")).stdout).toContain(
      "    lp_sleep:lp_sleep_task: its module is not loaded, nothing to redirect\n",
    );
  });

  test("is proven with it, by its own entries", async () => {
    await run("insmod /p/lp_sleep.ko");
    const { status, patches } = await verify();
    expect(status).toBe(0);
    expect(patches[1]?.functions).toMatchObject([
      { object: "lp_sleep", name: "lp_sleep_task", loaded: true, calls: "klp_ftrace_handler" },
      { object: "lp_sleep", name: "lp_sleep_thread", loaded: true, calls: "klp_ftrace_handler" },
      { object: "vmlinux", name: "cmdline_proc_show", loaded: true, calls: "klp_ftrace_handler" },
    ]);
  });

  test("is wrong when one of its entries is undone", async () => {
    await run(`insmod /p/lp_undo.ko address=${addressOf("lp_sleep_thread")}`);
    const { stdout, status } = await run("kgr verify");
    await run("rmmod lp_undo; kgr unload lp_stack; rmmod lp_sleep");
    expect(status).toBe(1);
    expect(stdout).toContain("lp_stack: wrong: lp_sleep:lp_sleep_thread: its entry in memory calls nobody");
  });
});

describe("a live patch in transition", () => {
  test("is not in force for every task", async () => {
    await run(
      "insmod /p/lp_busy.ko; cat /proc/lp_busy >/dev/null 2>&1 & sleep 1; kgr load /p/lp_block.ko --no-wait",
    );
    const { stdout, status } = await run("kgr verify");
    await run("echo 1 >/proc/lp_busy; kgr wait --timeout 60; kgr unload lp_block; rmmod lp_busy");
    expect(status).toBe(1);
    expect(stdout).toContain(
      "lp_block: wrong: it is being applied: some tasks still run the original functions",
    );
  });
});

describe("where the kernel does not tell", () => {
  test("hidden addresses are named", async () => {
    await run("echo 2 >/proc/sys/kernel/kptr_restrict; kgr patches");
    const { stdout, status } = await run("kgr verify");
    await run("echo 0 >/proc/sys/kernel/kptr_restrict");
    expect(status).toBe(7);
    expect(stdout).toContain(
      "lp_demo: cannot be proven: vmlinux:cmdline_proc_show: /proc/kallsyms shows no addresses: see /proc/sys/kernel/kptr_restrict\n",
    );
  });

  test("so is a tracefs that is not mounted", async () => {
    await run("umount /sys/kernel/tracing");
    expect(await verify()).toMatchObject({ status: 7, result: "unknown" });
    await run("mount -t tracefs none /sys/kernel/tracing");
    expect(await verify()).toMatchObject({ status: 0 });
  });

  test("so is lockdown: integrity leaves memory to be read, confidentiality does not", async () => {
    await run("echo integrity >/sys/kernel/security/lockdown");
    expect(await verify()).toMatchObject({ status: 0, lockdown: "integrity" });
    await run("echo confidentiality >/sys/kernel/security/lockdown");
    expect(await verify()).toMatchObject({ status: 7, lockdown: "confidentiality", result: "unknown" });
    const { stderr, stdout } = await run("kgr verify");
    expect(stdout).toContain("lp_demo: cannot be proven: cannot open /proc/kcore: EPERM");
    expect(stderr).toBe("     see what is missing with: kgr -v verify\n");
  });
});
