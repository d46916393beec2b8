/** Outputs to the letter, as scripts match them, and every exit code. */
import { describe, expect, test } from "vitest";
import { idleMachine, livePatchFiles, type Machine, makeMachine, threadFiles } from "../test/machine.ts";

const demoManifest = {
  schema: "kgraft-manifest/1",
  name: "lp_demo",
  kernel: {
    release: "6.1.0-55-cloud-amd64",
    packageVersion: "6.1.192-1",
    architecture: "amd64",
    buildId: "abcdef0123456789",
  },
  module: { file: "lp_demo.ko", sha256: "0".repeat(64), sizeBytes: 1 },
  fixes: [
    { id: "CVE-2016-2384", title: "double free" },
    { id: "bsc#12345", title: "a slow path" },
    { id: "CVE-2016-0774", title: "a buffer" },
  ],
  functions: [
    {
      object: "vmlinux",
      name: "cmdline_proc_show",
      sympos: 0,
      unit: "fs/proc/cmdline.c",
      originalSizeBytes: 1,
      replacementSizeBytes: 1,
    },
  ],
  sources: [],
  compiler: "gcc",
};

function idle(): Machine {
  return makeMachine(idleMachine);
}
function noSupport(): Machine {
  return makeMachine({ "/proc/self/status": "Uid:\t0\t0\t0\t0\n" });
}
function user(): Machine {
  return makeMachine({ ...idleMachine, "/proc/self/status": "Uid:\t1000\t1000\t1000\t1000\n" });
}
function active(): Machine {
  return makeMachine({ ...idleMachine, ...livePatchFiles("lp_demo", 1, 0) });
}
function described(changes: object = {}): Machine {
  const machine = active();
  machine.put({ "/run/kgr/lp_demo.json": JSON.stringify({ ...demoManifest, ...changes }) });
  return machine;
}
function applying(): Machine {
  return makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 1),
    ...threadFiles(20, 20, "0", "sleep\u0000100\u0000"),
    ...threadFiles(20, 21, "0", "sleep\u0000100\u0000"),
    ...threadFiles(3, 3, "0"),
    ...threadFiles(4, 4, "1"),
  });
}

const attributes = (active01: number, cve: string, fixes: string): string =>
  `lp_demo\n    active: ${active01}\n    RPM: (none)\n    CVE: ${cve}\n    bug fixes and enhancements: ${fixes}\n`;
const stack = "        do_sys_poll+0x1/0x2\n        do_syscall_64+0x3/0x4\n";
const ofThread =
  ": kernel thread, sleeps in the kernel\n" +
  "        nothing wakes it but its own work (the kernel tries each 15 s); or turn back with: kgr disable lp_demo\n";
const ofProcess =
  ": sleeps in the kernel\n        wake it with: kgr poke; or turn back with: kgr disable lp_demo\n";

describe("main() prints to the letter", () => {
  test.each<[string, () => Machine, string, string]>([
    ["status", idle, "status", "ready\n"],
    ["status", active, "status", "ready\n"],
    ["status", applying, "status", "in_progress\n"],
    ["-v status", idle, "-v status", "ready\n"],
    [
      "-v status",
      applying,
      "-v status",
      "in_progress\n    patch: lp_demo\n    direction: apply\n    tasks left: 3\n",
    ],
    ["check", idle, "check", ""],
    ["patches, none", idle, "patches", ""],
    ["patches", active, "patches", "lp_demo\n"],
    ["-v patches", described, "-v patches", attributes(1, "CVE-2016-2384 CVE-2016-0774", "bsc#12345")],
    ["no fixes", () => described({ fixes: [] }), "patches -v", attributes(1, "(none)", "(none)")],
    [
      "initial patch",
      () => described({ fixes: [], functions: [] }),
      "patches -v",
      attributes(1, "(none - this is an initial kGraft patch)", "(none)"),
    ],
    [
      "a record that is none",
      () => described({ schema: "other" }),
      "patches -v",
      attributes(1, "(unknown - no manifest)", "(unknown - no manifest)"),
    ],
    [
      "-v -v patches",
      described,
      "-v -v patches",
      `${attributes(1, "CVE-2016-2384 CVE-2016-0774", "bsc#12345")}    functions: vmlinux:cmdline_proc_show\n`,
    ],
    ["blocking, none", idle, "blocking", ""],
    ["blocking -v, none", idle, "blocking -v", "no processes with kgr_in_progress set\n"],
    ["blocking", applying, "blocking", "3\n20\n"],
    ["blocking -v", applying, "blocking -v", "3 [task3]\n20 sleep 100\n"],
    [
      "blocking -vv",
      applying,
      "-vv blocking",
      `3 [task3]\n    thread 3 task3${ofThread}${stack}20 sleep 100\n` +
        `    thread 20 task20${ofProcess}${stack}    thread 21 task21${ofProcess}${stack}`,
    ],
    ["blocking_threads, none", idle, "blocking_threads", ""],
    ["blocking_threads", applying, "blocking_threads", "3 3\n20 20\n20 21\n"],
    [
      "blocking_threads -v",
      applying,
      "-v blocking_threads",
      "3 3 [task3]\n20 20 sleep 100\n20 21 sleep 100\n",
    ],
    ["wait", idle, "wait", "ready\n"],
    ["--version", idle, "--version", "kgr 0.1.0\n"],
  ])("%s", async (_, machine, line, out) => {
    expect(await machine().kgr(...line.split(" "))).toEqual({ status: 0, out, err: "" });
  });
});

describe("main() speaks klp when it is called by that name", () => {
  test.each<[string, () => Machine, string, string]>([
    ["status", applying, "status", "in_progress\n"],
    ["blocking, none", idle, "blocking", ""],
    ["blocking -v, none", idle, "-v blocking", "no threads with klp_in_progress set\n"],
    ["blocking", applying, "blocking", "3\n20\n21\n"],
    ["blocking -v", applying, "blocking -v", "3 [task3]\n20 sleep 100\n21 sleep 100\n"],
    [
      "initial patch",
      () => described({ fixes: [], functions: [] }),
      "-v patches",
      attributes(1, "(none - this is an initial kernel live patch)", "(none)"),
    ],
    ["--version", idle, "--version", "klp 0.1.0\n"],
  ])("%s", async (_, machine, line, out) => {
    expect(await machine().klp(...line.split(" "))).toEqual({ status: 0, out, err: "" });
  });

  test("an error", async () => {
    expect((await idle().klp("frobnicate")).err).toMatch(/^klp: cannot run command frobnicate/);
  });
});

describe("main() reads kGraft's own kernel", () => {
  const modules =
    "kgraft_patch_3_12_51 1 1 - Live 0x0 (OEK)\nkgraft_patch_3_12_50 1 0 - Live 0x0 (OEK)\next4 1 1 - Live 0x0\n";
  const kgraft = (inProgress: string): Machine => {
    const machine = makeMachine({
      ...idleMachine,
      "/proc/modules": modules,
      "/sys/kernel/kgraft/in_progress": `${inProgress}\n`,
      "/proc/7/cmdline": "old\u0000",
      "/proc/7/comm": "old\n",
      "/proc/7/kgr_in_progress": "1\n",
      "/proc/7/task/7/comm": "old\n",
      "/proc/8/task/8/kgr_in_progress": "0\n",
      "/proc/8/task/9/kgr_in_progress": "1\n",
      "/proc/8/task/9/comm": "nine\n",
    });
    machine.remove("/sys/kernel/livepatch");
    return machine;
  };
  test.each<[string, string, number, string]>([
    ["status", "0", 0, "ready\n"],
    ["status", "1", 0, "in_progress\n"],
    ["check", "0", 0, ""],
    ["check", "1", 1, ""],
    ["patches", "0", 0, "kgraft_patch_3_12_50\nkgraft_patch_3_12_51\n"],
    ["blocking", "1", 0, "7\n8\n"],
    ["-v blocking", "1", 0, "7 old\n8 [nine]\n"],
    ["-v blocking", "0", 0, "no processes with kgr_in_progress set\n"],
    ["blocking_threads", "1", 0, "7 7\n8 9\n"],
    [
      "-v -v blocking_threads",
      "1",
      0,
      "7 7 old\n    thread 7 old\n        (stack cannot be read)\n" +
        "8 9 [nine]\n    thread 9 nine\n        (stack cannot be read)\n",
    ],
  ])("%s, in_progress %s", async (line, inProgress, status, out) => {
    expect(await kgraft(inProgress).kgr(...line.split(" "))).toEqual({ status, out, err: "" });
  });

  test("poke stops and continues those that remain, and says so", async () => {
    const machine = kgraft("1");
    expect(await machine.kgr("poke")).toMatchObject({
      status: 0,
      out: "7 old: woken by SIGSTOP and SIGCONT\n8 [nine]: woken by SIGSTOP and SIGCONT\n",
    });
    expect(machine.signals).toEqual(["STOP 7", "CONT 7", "STOP 8", "CONT 8"]);
  });

  test("force writes 0 to in_progress", async () => {
    const machine = kgraft("1");
    expect(await machine.kgr("force", "--yes")).toMatchObject({
      status: 0,
      out: "kgraft_patch_3_12_51: ready, forced\n",
    });
    expect(machine.read("/sys/kernel/kgraft/in_progress")).toMatch(/^0/);
  });

  test.each(["disable kgraft_patch_3_12_51", "enable kgraft_patch_3_12_51", "unload kgraft_patch_3_12_51"])(
    "%s: what that kernel cannot do is refused in words",
    async (line) => {
      expect(await kgraft("0").kgr(...line.split(" "))).toEqual({
        status: 2,
        out: "",
        err:
          "kgr: cannot change kgraft_patch_3_12_51: this kernel has kGraft, whose patches only their packages change\n" +
          "     see them with: kgr -v patches; end a transition with: kgr poke\n",
      });
    },
  );

  test("which patch is active", async () => {
    const { out } = await kgraft("0").kgr("-v", "patches");
    expect(out).toMatch(/^kgraft_patch_3_12_50\n {4}active: 0\n(.*\n)*kgraft_patch_3_12_51\n {4}active: 1\n/);
  });
});

describe("main() prints one JSON document", () => {
  const release = "6.1.0-55-cloud-amd64";
  const transition = { patch: "lp_demo", direction: "apply", tasksLeft: 3 };
  const boot = { plan: "none", patch: null, held: [], damaged: [], armed: null };
  test.each<[string, () => Machine, number, object]>([
    ["status", idle, 0, { state: "ready", release, boot, coverage: null }],
    ["status", applying, 0, { state: "in_progress", release, transition, boot, coverage: null }],
    ["check", applying, 1, { state: "in_progress", release, transition, boot, coverage: null }],
    ["patches", idle, 0, { patches: [] }],
    [
      "patches",
      described,
      0,
      {
        patches: [
          {
            name: "lp_demo",
            active: true,
            inTransition: false,
            package: null,
            manifestKnown: true,
            cves: ["CVE-2016-2384", "CVE-2016-0774"],
            otherFixes: ["bsc#12345"],
            functions: [{ object: "vmlinux", name: "cmdline_proc_show", sympos: 1 }],
            expiration: null,
            update: null,
          },
        ],
      },
    ],
    ["blocking", idle, 0, { blocking: [] }],
    ["wait", idle, 0, { action: "wait", patch: null, state: "ready", waitedMs: 0, tasksLeft: 0 }],
  ])("%s", async (command, machine, status, report) => {
    const result = await machine().kgr(command, "--json");
    expect(result).toMatchObject({ status, err: "" });
    expect(result.out).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(result.out)).toEqual(report);
  });
});

test("main() check: 1 while a transition goes on, without a word", async () => {
  expect(await applying().kgr("check")).toEqual({ status: 1, out: "", err: "" });
});

describe("main() answers what is wrong with an exit code of its own", () => {
  test.each<[string, () => Machine, number, string]>([
    ["frobnicate", idle, 64, "cannot run command frobnicate"],
    ["status", noSupport, 69, "the running kernel has no live patching"],
    ["patches", noSupport, 69, "the running kernel has no live patching"],
    ["blocking", noSupport, 69, "the running kernel has no live patching"],
    ["wait", noSupport, 69, "the running kernel has no live patching"],
    ["load x.ko", noSupport, 69, "the running kernel has no live patching"],
    ["load x.ko", user, 77, "this user is not root"],
    ["unload lp_demo", user, 77, "this user is not root"],
    ["disable lp_gone", idle, 66, "cannot find live patch lp_gone: none of that name is loaded"],
    ["enable lp_gone", idle, 66, "cannot find live patch lp_gone"],
    ["unload ext4", idle, 66, "cannot find live patch ext4"],
    ["unload ../x", idle, 64, 'cannot use name "../x"'],
  ])("%s: %i", async (line, machine, status, message) => {
    const result = await machine().kgr(...line.split(" "));
    expect(result).toMatchObject({ status, out: "" });
    expect(result.err).toContain(message);
    expect(result.err).toMatch(/^kgr: .+\n {5}.+\n$/);
  });
});

test.each([
  "status",
  "check",
  "patches",
  "blocking",
  "blocking_threads",
  "load",
  "enable",
  "disable",
  "unload",
  "wait",
])("main() helps with %s", async (command) => {
  const { status, out } = await idle().kgr(command, "--help");
  expect(status).toBe(0);
  expect(out).toContain(`usage: kgr [-v] [--json] ${command}`);
  expect((await idle().kgr("--help")).out).toContain(`\n  ${command}`);
});

describe("kgr in Traditional Chinese", () => {
  function inChinese(machine: Machine): Machine {
    machine.environment["LC_MESSAGES"] = "zh_TW.UTF-8";
    return machine;
  }

  test("explains, and says what to type", async () => {
    const machine = inChinese(idle());
    expect(await machine.kgr("unload", "lp_none")).toMatchObject({
      status: 66,
      out: "",
      err: "kgr: 找不到即時修補程式 lp_none：未載入該名稱者\n     請輸入：kgr patches\n",
    });
    expect((await machine.kgr("wait", "--help")).out).toContain("等到沒有即時修補程式在轉換中。");
  });

  test.each([
    [["status"], applying],
    [["-v", "status"], applying],
    [["patches"], applying],
    [["-v", "-v", "patches"], described],
    [["blocking"], applying],
    [["-v", "blocking"], applying],
    [["-v", "blocking"], idle],
    [["blocking_threads"], applying],
    [["fixes"], described],
    [["uname"], idle],
    [["metrics"], described],
    [["completion", "bash"], idle],
    [["status", "--json"], applying],
    [["-v", "-v", "blocking", "--json"], applying],
    [["poke", "--dry-run", "--json"], applying],
    [["config", "--json"], idle],
  ])("says what scripts read as ever: %s", async (argv, machine) => {
    expect(await inChinese(machine()).kgr(...argv)).toEqual(await machine().kgr(...argv));
  });
});
