/** Transitions that do not end by themselves, in a real kernel: explained, woken, turned back, forced. */
import type { BlockingReport, BlockingTask, PokeReport } from "@kgraft/contract";
import type { CommandResult, Guest } from "@kgraft/lab";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bootWithModules, makeProgram } from "./guest.ts";

let guest: Guest;

beforeAll(async () => {
  guest = await bootWithModules([await makeProgram("pty")]);
  await run("mkdir -p /dev/pts; mount -t devpts none /dev/pts");
});
afterAll(async () => {
  await guest.shutdown();
});

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 90_000 });
}

async function blocking(): Promise<readonly BlockingTask[]> {
  return (JSON.parse((await run("kgr blocking --json")).stdout) as BlockingReport).blocking;
}

/** A reader of /proc/lp_sleep asleep in the function to be replaced. */
async function sleeper(): Promise<void> {
  await run("cat /proc/lp_sleep >/tmp/out 2>&1 & echo $! >/tmp/pid; sleep 1");
}

describe("a user task that sleeps in a patched function, where signals reach it", () => {
  beforeAll(async () => {
    await run("insmod /p/lp_sleep.ko");
  });
  // Anew each time: after 15 s the kernel wakes it, and on a busy machine that is soon.
  beforeEach(async () => {
    await sleeper();
    await run("insmod /p/lp_awake.ko; sleep 2.5"); // twice looked at by the kernel
    return async () => {
      await run("kgr unload lp_awake; kill $(cat /tmp/pid)");
    };
  });
  afterAll(async () => {
    await run("rmmod lp_sleep");
  });

  test("is explained: which function, how it sleeps, for how long, what helps", async () => {
    expect(await blocking()).toMatchObject([
      {
        commandLine: ["cat", "/proc/lp_sleep"],
        kind: "process",
        state: "sleeping",
        function: "lp_sleep_task",
      },
    ]);
    expect((await blocking())[0]?.asleepMs).toBeGreaterThan(2000);
    expect((await run("kgr -v -v blocking")).stdout).toMatch(
      /: sleeps in lp_sleep_task for \d+ s\n {8}wake it with: kgr poke; or turn back with: kgr disable lp_awake\n {8}lp_sleep_task\+/,
    );
  });

  test("is listed by process and thread, and by thread for klp", async () => {
    expect((await run("kgr blocking_threads; cat /tmp/pid /tmp/pid | xargs echo")).stdout).toMatch(
      /^(\d+) \1\n\1 \1\n$/,
    );
    expect((await run("klp blocking; cat /tmp/pid")).stdout).toMatch(/^(\d+)\n\1\n$/);
  });

  test("does not notice signals CONT, URG, WINCH and 0", async () => {
    const each = "kill -$name $pid; sleep 0.3; kgr blocking | grep -c ^$pid$";
    expect(await run(`pid=$(cat /tmp/pid); for name in CONT URG WINCH 0; do ${each}; done`)).toMatchObject({
      stdout: "1\n1\n1\n1\n",
    });
  });

  test("is woken by poke through its control group, and its system call begins anew", async () => {
    await run("mkdir -p /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup");
    expect((await run("kgr poke --dry-run")).stdout).toMatch(/^\d+ cat \/proc\/lp_sleep: would be woken\n$/);
    expect(await blocking()).toHaveLength(1);
    const { poked } = JSON.parse((await run("kgr poke --json")).stdout) as PokeReport;
    expect(poked).toMatchObject([{ command: "cat /proc/lp_sleep", result: "woken" }]);
    // The new function returns at once: the read gave 0 bytes and no error, so cat ended well.
    expect(await run("sleep 0.5; cat /tmp/out; kill -0 $(cat /tmp/pid)")).toMatchObject({
      stdout: "",
      status: 1,
    });
    expect(await run("kgr wait --timeout 20; ls -d /sys/fs/cgroup/kgr")).toMatchObject({ stdout: "ready\n" });
    // None is left to name.
    expect(await run("kgr poke; kgr blocking; klp -v blocking")).toMatchObject({
      status: 0,
      stdout: "no threads with klp_in_progress set\n",
    });
  });
});

describe("kgr load with such a task", () => {
  beforeAll(async () => {
    await run("insmod /p/lp_sleep.ko; dmesg -c");
    await sleeper();
  });
  afterAll(async () => {
    await run("kgr unload lp_awake; rmmod lp_sleep");
  });

  test("wakes it at once: ready long before the kernel's 15 s", async () => {
    const loaded = await run("kgr load /p/lp_awake.ko");
    expect(loaded.status).toBe(0);
    const log = (await run("dmesg")).stdout;
    expect(log).toContain("'lp_awake': patching complete");
    expect(log).not.toContain("signaling remaining tasks");
  });
});

describe("without control groups", () => {
  beforeAll(async () => {
    await run("umount /sys/fs/cgroup; insmod /p/lp_sleep.ko");
    await sleeper();
    await run("insmod /p/lp_awake.ko");
  });
  afterAll(async () => {
    await run("kgr unload lp_awake; rmmod lp_sleep; mount -t cgroup2 none /sys/fs/cgroup");
  });

  test("poke wakes by SIGSTOP and SIGCONT", async () => {
    expect((await run("kgr poke")).stdout).toMatch(/ cat \/proc\/lp_sleep: woken by SIGSTOP and SIGCONT\n$/);
    expect(await run("kgr wait --timeout 20")).toMatchObject({ stdout: "ready\n" });
  });
});

describe("a module whose insertion takes long", () => {
  afterEach(async () => {
    await run("kgr unload lp_slow");
  });

  test("load says what is at work, once where there is no terminal", async () => {
    const { status, stdout, stderr } = await run("kgr load /p/lp_slow.ko");
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^lp_slow: ready/) });
    expect(stderr.split("lp_slow: insmod is at work in the kernel\n")).toHaveLength(2);
  });

  test("load shows on a terminal for how long, and in which function", async () => {
    const { status, stdout } = await run("pty 80 0 '' kgr load /p/lp_slow.ko");
    expect(status).toBe(0);
    for (const second of [1, 2]) {
      expect(stdout).toContain(`\r\u001b[Klp_slow: insmod is at work in the kernel, ${second} s, in msleep`);
    }
  });

  test("another kgr says meanwhile whom it waits for, and leaves nothing of its claim", async () => {
    const first = "kgr load /p/lp_slow.ko >/dev/null 2>&1 &";
    const seen = "until grep -q lp_slow /proc/modules; do sleep 0.2; done";
    const { stdout } = await run(`${first} ${seen}; pty 80 0 '' kgr load /p/lp_v1.ko; wait`);
    expect(stdout).toMatch(/Kkgr: waits for process \d+ \(kgr load \/p\/lp_slow\.ko\), [1-4] s/);
    expect((await run("kgr wait; ls /run/kgr/lock; kgr unload lp_v1")).stdout).toMatch(
      /^ready\n(lp_v1: unloaded\n)?$/,
    );
  });

  test("Ctrl-C meanwhile waits for the kernel, and leaves all or nothing", async () => {
    const { stdout } = await run("pty 80 1500 $'\\003' kgr load /p/lp_slow.ko");
    expect(stdout).toContain("kgr: interrupted; what the kernel has begun it carries through first");
    expect((await run("kgr wait; kgr patches; ls /run/kgr/lock")).stdout).toMatch(/^ready\n(lp_slow\n)?$/);
  });
});

describe("a kernel that has another patch in transition when the module comes to it", () => {
  const blocked = "insmod /p/lp_busy.ko; cat /proc/lp_busy >/dev/null 2>&1 & sleep 1";
  /** Between the checks of kgr and the word of the kernel: lp_slow is four seconds on its way. */
  const meanwhile = "(until grep -q lp_slow /proc/modules; do sleep 0.2; done; insmod /p/lp_block.ko) &";
  const later = "(until grep -q 'trying again' /tmp/err; do sleep 0.2; done; echo 1 >/proc/lp_busy) &";
  afterEach(async () => {
    await run("echo 1 >/proc/lp_busy; kgr wait; kgr unload lp_slow; kgr unload lp_block");
    await run("rmmod lp_busy; rm -rf /etc/kgr");
  });

  test("EBUSY is tried again, and the patch is in force when the other is done", async () => {
    await run(blocked);
    const loaded = await run(
      `>/tmp/err; ${meanwhile} ${later} kgr load /p/lp_slow.ko 2>/tmp/err; cat /tmp/err`,
    );
    expect(loaded.stdout).toMatch(/^lp_slow: ready [^]*^lp_slow: the kernel is busy, trying again$/m);
    expect(
      (await run("kgr patches | sort; dmesg | grep 'lp_.*: patching complete' | tail -n 1")).stdout,
    ).toMatch(/^lp_block\nlp_slow\n.*'lp_slow': patching complete\n$/);
  });

  test("EBUSY for longer than the policy says is told, and nothing of the patch is left", async () => {
    await run(`mkdir -p /etc/kgr; echo BUSY_TIMEOUT=1 >/etc/kgr/kgr.conf; ${blocked}`);
    const loaded = await run(`${meanwhile} kgr load /p/lp_slow.ko`);
    expect(loaded).toMatchObject({ status: 1, stdout: "" });
    expect(loaded.stderr).toMatch(/cannot insert \/p\/lp_slow\.ko: .*Device or resource busy\n {5}\S/);
    expect((await run("kgr patches; ls /run/kgr/lock; grep lp_slow /proc/modules")).stdout).toBe(
      "lp_block\n",
    );
  });
});

describe("a task in a patched function that is deaf to signals", () => {
  test("cannot be woken, and poke says so", async () => {
    await run("insmod /p/lp_busy.ko; cat /proc/lp_busy >/dev/null 2>&1 & echo $! >/tmp/pid; sleep 1");
    await run("insmod /p/lp_block.ko");
    expect((await run("kgr poke")).stdout).toMatch(
      / cat \/proc\/lp_busy: cannot be woken: sleeps in lp_busy_sleep for \d+ m?s, deaf to signals\n$/,
    );
  });

  test("wait tells who it is, why it does not move, and what helps", async () => {
    const waited = await run("kgr wait --timeout 5");
    expect(waited.status).toBe(124);
    expect(waited.stderr).toMatch(
      /\d+ cat \/proc\/lp_busy: sleeps in lp_busy_sleep for \d+ s, deaf to signals\n {5}free what it waits for/,
    );
  });

  test.each([
    [80, "[....................] lp_block: in_progress, 1 task left"],
    [40, "lp_block: in_progress, 1 task left"],
    [20, "1 task left"],
  ])("wait keeps to one line on a terminal of %i columns, until Ctrl-C", async (columns, line) => {
    const { status, stdout } = await run(`pty ${columns} 1500 $'\\003' kgr wait`);
    expect(status).toBe(130);
    const [first, ...shown] = stdout.slice(0, stdout.indexOf("kgr: cannot go on")).split("\r\u001b[K");
    expect(first).toBe("");
    expect(shown.map((text) => text.replace("^C", ""))).toEqual([...shown.slice(1).map(() => line), ""]);
  });

  test("--on-timeout wait goes on waiting", async () => {
    const waited = await run("kgr wait --timeout 1 --on-timeout wait & sleep 4; kill -TERM $!; wait $!");
    expect(waited.status).toBe(130);
    expect(waited.stderr).toContain("kgr: 1 s have passed; waiting on");
  });

  test("--on-timeout reverse turns back: the machine is as it was", async () => {
    const waited = await run("kgr wait --timeout 2 --on-timeout reverse");
    expect(waited).toMatchObject({ status: 3, stdout: "" });
    expect(waited.stderr).toContain("it was turned back and is off again");
    expect(await run("kgr status; kgr -v patches | grep active")).toMatchObject({
      stdout: "ready\n    active: 0\n",
    });
    await run("kgr unload lp_block");
  });

  test("load --on-timeout reverse leaves no module and no record", async () => {
    const loaded = await run("kgr load /p/lp_block.ko --timeout 2 --on-timeout reverse");
    expect(loaded).toMatchObject({ status: 3, stdout: "" });
    expect(await run("kgr status; kgr patches; ls /run/kgr/lp_block.json")).toMatchObject({
      stdout: "ready\n",
    });
  });

  test("force refuses without a terminal, and tells what it costs", async () => {
    await run("kgr load /p/lp_block.ko --no-wait");
    const refused = await run("kgr force </dev/null");
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(refused.stderr).toContain(
      "lp_block is applying, 1 task left. Forced, each of these counts as moved",
    );
    expect(refused.stderr).toContain("if you accept what it costs, type: kgr force --yes");
    expect((await run("kgr force --dry-run")).stdout).toBe("lp_block: would be forced, 1 task left\n");
    expect(await run("kgr status")).toMatchObject({ stdout: "in_progress\n" });
  });

  test("force takes no for an answer", async () => {
    const { status, stdout } = await run("pty 80 500 $'no\\n' kgr force");
    expect(status).toBe(2);
    expect(stdout).toMatch(
      /lp_block is applying, 1 task left\. Forced, [^]*\nForce lp_block\? Type yes: no\r\nkgr: did not force lp_block: the answer was not yes/,
    );
    expect(await run("kgr status")).toMatchObject({ stdout: "in_progress\n" });
  });

  test("force --yes ends the transition", async () => {
    expect(await run("kgr force --yes")).toMatchObject({ status: 0, stdout: "lp_block: ready, forced\n" });
    expect(await run("kgr force; kgr -v patches")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^ready\nlp_block\n {4}active: 1\n/) as string,
    });
    expect(await run("echo 1 >/proc/lp_busy; sleep 1; kgr unload lp_block")).toMatchObject({ status: 0 });
  });

  test("what force takes out of force stays loaded", async () => {
    await run("insmod /p/lp_block.ko sleeps=1; kgr wait; cat /proc/lp_busy >/dev/null 2>&1 & sleep 1");
    await run("kgr disable lp_block --no-wait; sleep 1.5");
    expect(await blocking()).toMatchObject([
      { state: "uninterruptible", commandLine: ["cat", "/proc/lp_busy"] },
    ]);
    expect(await run("kgr force --yes")).toMatchObject({ status: 0, stdout: "lp_block: ready, forced\n" });
    await run("echo N >/sys/module/lp_block/parameters/sleeps; sleep 1");
    expect(await run("kgr unload lp_block")).toMatchObject({ status: 1, stdout: "" });
    expect(await run("kgr -v patches")).toMatchObject({
      stdout: expect.stringMatching(/^lp_block\n {4}active: 0\n/) as string,
    });
  });
});

describe("a kernel thread that sleeps in a patched function", () => {
  test("is told from a user task, and nothing pretends to wake it", async () => {
    await run("insmod /p/lp_sleep.ko thread=1; sleep 1; insmod /p/lp_awake.ko; sleep 1.5");
    expect(await blocking()).toMatchObject([
      { name: "lp_sleeper", kind: "kernel-thread", state: "sleeping", function: "lp_sleep_thread" },
    ]);
    expect((await run("kgr poke")).stdout).toMatch(
      /^\d+ \[lp_sleeper\]: cannot be woken: kernel thread, sleeps in lp_sleep_thread for \d+ m?s\n$/,
    );
    const waited = await run("kgr wait --timeout 4");
    expect(waited.stderr).toContain("nothing wakes it but its own work");
    expect(await blocking()).toHaveLength(1);
  });

  const asleep = "cat /proc/$(pidof lp_sleeper)/stack | grep -o 'lp_sleep_thread'";

  test("is turned back: by hand, and at the time limit", async () => {
    expect((await run("kgr disable lp_awake && kgr status && kgr unload lp_awake")).stdout).toBe(
      "lp_awake: disabled, its module is still loaded\nready\nlp_awake: unloaded\n",
    );
    expect(await run("kgr load /p/lp_awake.ko --timeout 2 --on-timeout reverse")).toMatchObject({
      status: 3,
      stdout: "",
    });
    expect((await run(`kgr status; kgr patches | grep lp_awake; ${asleep}`)).stdout).toBe(
      "ready\nlp_sleep_thread\n",
    );
  });

  test("is forced by who types yes: it counts as moved, and sits where it sat", async () => {
    await run("kgr load /p/lp_awake.ko --no-wait");
    const { status, stdout } = await run("pty 80 500 $'yes\\n' kgr force");
    expect(status).toBe(0);
    expect(stdout).toMatch(/Force lp_awake\? Type yes: yes\r\n[^\n]*lp_awake: ready, forced\r\n$/);
    expect((await run(`kgr status; kgr -v patches | grep -A 1 lp_awake; ${asleep}`)).stdout).toBe(
      "ready\nlp_awake\n    active: 1\nlp_sleep_thread\n",
    );
    expect((await run("kgr unload lp_awake")).stdout).toBe("lp_awake: unloaded\n");
  });

  test("moves when what it waits for comes", async () => {
    await run("kgr load /p/lp_awake.ko --no-wait");
    expect(await run("(sleep 1; echo 1 >/proc/lp_sleep) & kgr wait --timeout 30")).toMatchObject({
      status: 0,
    });
    expect(await run("kgr unload lp_awake && rmmod lp_sleep")).toMatchObject({ status: 0 });
  });
});
