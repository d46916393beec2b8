/**
 * What an administrator meets at three in the morning, in a real kernel: two kgr at once, signals at any moment, file
 * systems that are full or read-only, files that vanish while they are read. Afterwards all is whole, and each
 * message has said what to type next.
 */
import type { CommandResult, Guest } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootWithManifests } from "./guest.ts";

let guest: Guest;

beforeAll(async () => {
  guest = await bootWithManifests(
    {
      lp_demo: ["vmlinux:cmdline_proc_show"],
      lp_v1: ["vmlinux:version_proc_show"],
      lp_v2: ["vmlinux:version_proc_show"],
    },
    { timeoutMs: 1_800_000, cpus: 2 },
  );
});
afterAll(async () => {
  await guest.shutdown();
});

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 300_000 });
}

/** What is loaded, what is noted, who holds the lock, and which function runs. */
const stand = `echo "loaded $(grep -c ^lp_demo /proc/modules)" \
  "noted $(ls /run/kgr | grep -c '^lp_demo.json$')" \
  "claims $(ls /run/kgr/lock 2>/dev/null | wc -l)" \
  "patched $(grep -c 'live patched' /proc/cmdline)"`;
const clean = "loaded 0 noted 0 claims 0 patched 0\n";
const inForce = "loaded 1 noted 1 claims 0 patched 1\n";

/** A line on the standard error output that says what went wrong, and one that says what to type. */
const complaint = /^kgr: cannot .+\n {5}.*(kgr |type |ls|df|findmnt).*\n$/;

/** Two kgr that do the same at the same time. @returns how each ended, and what it said */
async function together(command: string): Promise<readonly { status: string; said: string }[]> {
  const one = (name: string): string => `(kgr ${command} >/tmp/${name} 2>&1; echo $? >/tmp/${name}.status) &`;
  await run(`${one("a")} ${one("b")} wait`);
  const ends = [];
  for (const name of ["a", "b"]) {
    const { stdout } = await run(`cat /tmp/${name}.status /tmp/${name}`);
    ends.push({ status: stdout.split("\n")[0] ?? "", said: stdout });
  }
  return ends.toSorted((x, y) => Number(x.status) - Number(y.status));
}

describe("two kgr at once", () => {
  test("load one patch once: the other says that it is there", async () => {
    for (let round = 0; round < 4; round++) {
      expect(await together("load /p/lp_demo.ko")).toMatchObject([
        { status: "0" },
        { status: expect.stringMatching(/^[25]$/) as string },
      ]);
      expect(await run(stand)).toMatchObject({ stdout: inForce });
      expect(await run("kgr unload lp_demo")).toMatchObject({ status: 0 });
      expect(await run(stand)).toMatchObject({ stdout: clean });
    }
  });

  test("unload it together: both find it gone", async () => {
    for (let round = 0; round < 4; round++) {
      await run("kgr load /p/lp_demo.ko");
      expect(await together("unload lp_demo")).toMatchObject([
        { status: "0" },
        { status: expect.stringMatching(/^(0|66)$/) as string },
      ]);
      expect(await run(stand)).toMatchObject({ stdout: clean });
    }
  });

  test("one that was killed while it held the lock is not waited for", async () => {
    await run(
      "mkdir -p /run/kgr/lock; sleep 100 >/dev/null 2>&1 & pid=$!; mkdir /run/kgr/lock/$pid.$(cut -d' ' -f22 /proc/$pid/stat); kill -9 $pid; wait $pid",
    );
    expect(await run("kgr load /p/lp_demo.ko && kgr unload lp_demo")).toMatchObject({ status: 0 });
    expect(await run(stand)).toMatchObject({ stdout: clean });
  });

  test("one that holds it is waited for, with a bound, and named", async () => {
    await run("mkdir -p /etc/kgr; echo BUSY_TIMEOUT=1 >/etc/kgr/kgr.conf; mkdir -p /run/kgr/lock");
    await run(
      "sleep 100 >/dev/null 2>&1 & echo $! >/tmp/pid; mkdir /run/kgr/lock/$!.$(cut -d' ' -f22 /proc/$!/stat)",
    );
    const refused = await run("kgr load /p/lp_demo.ko");
    await run("kill $(cat /tmp/pid); rm /etc/kgr/kgr.conf");
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(refused.stderr).toMatch(
      /cannot change live patches: process \d+ \(sleep 100\) is changing them\n {5}wait/,
    );
    expect(await run("kgr load /p/lp_demo.ko && kgr unload lp_demo")).toMatchObject({ status: 0 });
    expect(await run(stand)).toMatchObject({ stdout: clean });
  });
});

const delays = [0.02, 0.1, 0.3, 1];
// A terminal's Ctrl-C reaches all that run there, insmod and rmmod too.
const signals = ["INT", "TERM", "HUP", "KILL", "Ctrl-C"];

/** Runs kgr, and sends it a signal after a while. */
async function interrupted(command: string, signal: string, delay: number): Promise<CommandResult> {
  const [start, send] = signal === "Ctrl-C" ? ["setsid kgr", "INT -$pid"] : ["kgr", `${signal} $pid`];
  const script = `${start} ${command} >/tmp/out 2>/tmp/err & pid=$!; sleep ${delay}; kill -${send} 2>/dev/null; wait $pid; status=$?; cat /tmp/out; cat /tmp/err >&2; exit $status`;
  return run(script);
}
/** What a caught signal leaves: an end in order, or how things stand and what to type. */
function checkEnd({ status, stderr }: CommandResult, signal: string): void {
  const byDefault = { INT: 130, TERM: 143, HUP: 129, KILL: 137, "Ctrl-C": 130 }[signal];
  expect({ status, stderr }).toEqual({
    status: expect.toSatisfy((code: unknown) => code === 0 || code === 130 || code === byDefault) as number,
    stderr: expect.not.stringContaining("unexpected") as string,
  });
  const told = /interrupted[^]*\n {5}.*kgr /.test(stderr);
  expect({ stderr, told }).toMatchObject({ told: status === 130 && stderr.includes("cannot") });
}

describe("a signal at any moment", () => {
  test.each(signals)("%s in load: what is loaded has its manifest, what is not has none", async (signal) => {
    for (const delay of delays) {
      checkEnd(await interrupted("load /p/lp_demo.ko", signal, delay), signal);
      await run("sleep 1"); // the insmod of a kgr that was killed goes on
      const { stdout } = await run(stand);
      const forgotten = signal === "KILL" ? "[01]" : "0";
      expect(stdout, `after ${delay} s`).toMatch(
        new RegExp(`^loaded (1 noted 1|0 noted ${forgotten}) claims [01] patched [01]\n$`),
      );
      // Whatever that is: the same command again, or wait, ends in force.
      await run("kgr wait; kgr patches | grep -q lp_demo || kgr load /p/lp_demo.ko");
      // The claim of one that was killed stays until the next change, which does not wait for it.
      const claims = signal === "KILL" ? "[01]" : "0";
      expect((await run(stand)).stdout, `after ${delay} s`).toMatch(
        new RegExp(`^loaded 1 noted 1 claims ${claims} patched 1\n$`),
      );
      expect(await run("kgr unload lp_demo")).toMatchObject({ status: 0 });
      expect(await run(stand)).toMatchObject({ stdout: clean });
    }
  });

  test.each(signals)("%s in unload: it is in force, or on its way out, or gone", async (signal) => {
    for (const delay of delays) {
      expect(await run("kgr load /p/lp_demo.ko")).toMatchObject({ status: 0 });
      checkEnd(await interrupted("unload lp_demo", signal, delay), signal);
      await run("sleep 1");
      expect((await run(stand)).stdout, `after ${delay} s`).toMatch(/^loaded (1 noted 1|0 noted [01]) /);
      await run("kgr wait; kgr patches | grep -q lp_demo && kgr unload lp_demo");
      expect((await run(stand)).stdout, `after ${delay} s`).toMatch(
        /^loaded 0 noted [01] claims [01] patched 0\n$/,
      );
      await run("kgr load /p/lp_demo.ko; kgr unload lp_demo");
      expect(await run(stand)).toMatchObject({ stdout: clean });
    }
  });
});

describe("a signal in disable", () => {
  test.each(signals)("%s: it is in force, or on its way out, and typed again it is off", async (signal) => {
    for (const delay of delays) {
      expect(await run("kgr load /p/lp_demo.ko")).toMatchObject({ status: 0 });
      checkEnd(await interrupted("disable lp_demo", signal, delay), signal);
      await run("kgr disable lp_demo; kgr wait");
      expect((await run(`kgr -v patches; ${stand}`)).stdout, `after ${delay} s`).toMatch(
        /^lp_demo\n {4}active: 0\n[^]*patched 0\n$/,
      );
      expect(await run("kgr unload lp_demo")).toMatchObject({ status: 0 });
      expect(await run(stand)).toMatchObject({ stdout: clean });
    }
  });
});

describe("a signal in install and uninstall", () => {
  const modules = "/usr/lib/modules/$(uname -r)";
  const folder = `${modules}/updates/kgraft`;
  const there = `ls -A ${folder} 2>/dev/null; cmp ${folder}/lp_demo.ko /p/lp_demo.ko 2>/dev/null && echo same`;
  const both = "lp_demo.json\nlp_demo.ko\nsame\n";
  const wholeOrNone = /^(lp_demo: would be loaded|no live patch is installed for .*)\n$/;

  beforeAll(async () => {
    await run(`mkdir -p ${modules}`);
  });

  test.each(signals)("%s: whole, or none to kgr, and typed again it is done", async (signal) => {
    for (const delay of delays) {
      checkEnd(await interrupted("install /p/lp_demo.ko", signal, delay), signal);
      expect((await run("kgr boot --dry-run 2>&1")).stdout, `after ${delay} s`).toMatch(wholeOrNone);
      await run("kgr install /p/lp_demo.ko");
      expect((await run(there)).stdout, `after ${delay} s`).toBe(both);

      checkEnd(await interrupted("uninstall lp_demo", signal, delay), signal);
      expect((await run("kgr boot --dry-run 2>&1")).stdout, `after ${delay} s`).toMatch(wholeOrNone);
      await run("kgr uninstall lp_demo");
      expect((await run(there)).stdout, `after ${delay} s`).toBe("");
    }
  });
});

describe("a signal in downgrade", () => {
  test.each(signals)(
    "%s: the newer one is in force or the earlier, and typed again it is the earlier",
    async (signal) => {
      for (const delay of delays) {
        await run("kgr load /p/lp_v1.ko && kgr load /p/lp_v2.ko");
        checkEnd(await interrupted("downgrade --yes", signal, delay), signal);
        await run("sleep 1; kgr wait");
        const { stdout } = await run("cat /proc/version");
        expect(stdout, `after ${delay} s`).toMatch(/^live patch [12]\n$/);
        const again = await run("kgr downgrade --yes");
        expect(again.status, `after ${delay} s: ${stdout}${again.stderr}`).toBe(stdout.includes("2") ? 0 : 2);
        expect((await run("cat /proc/version")).stdout, `after ${delay} s`).toBe("live patch 1\n");
        expect(await run("kgr unload lp_v1 && kgr unload lp_v2")).toMatchObject({ status: 0 });
        expect(await run("kgr patches; ls /run/kgr | grep ^lp_")).toMatchObject({ stdout: "" });
      }
    },
  );
});

describe("a signal in poke", () => {
  const group = "/sys/fs/cgroup/service";
  /** Ten that sleep in the function, in a service of their own. */
  const asleep = `for i in 1 2 3 4 5 6 7 8 9 10; do
      (read pid _ </proc/self/stat; echo $pid >${group}/cgroup.procs; exec cat /proc/lp_sleep) &
    done >/dev/null 2>&1; sleep 1; insmod /p/lp_awake.ko`;
  const left = `find /sys/fs/cgroup -name kgr; ls /run/kgr/frozen; cat ${group}/cgroup.procs; grep frozen ${group}/cgroup.events`;

  beforeAll(async () => {
    await run(`mkdir -p /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; mkdir ${group}`);
    await run("insmod /p/lp_sleep.ko");
  });
  afterAll(async () => {
    await run(`rmmod lp_sleep; rmdir ${group}; umount /sys/fs/cgroup`);
  });

  test.each(signals)("%s: nobody is left frozen, and all move", async (signal) => {
    for (const delay of delays) {
      await run(asleep);
      await interrupted("poke", signal, delay);
      expect(await run("kgr wait"), `after ${delay} s`).toMatchObject({ status: 0, stdout: "ready\n" });
      await run("sleep 0.5");
      expect((await run(left)).stdout, `after ${delay} s`).toBe("frozen 0\n");
      expect(await run("kgr unload lp_awake")).toMatchObject({ status: 0 });
    }
  });

  // The very moment, which no signal of a test hits.
  test.each(["poke", "wait"])(
    "killed when they were just frozen: kgr %s gives them back",
    async (command) => {
      const frozen = `mkdir ${group}/kgr; for pid in $(cat ${group}/cgroup.procs); do echo $pid >${group}/kgr/cgroup.procs; done
      mkdir -p /run/kgr; echo ${group}/kgr >/run/kgr/frozen; echo 1 >${group}/kgr/cgroup.freeze`;
      await run(`${asleep}; ${frozen}; sleep 2`);
      expect(
        (await run(`wc -l <${group}/kgr/cgroup.procs; grep frozen ${group}/kgr/cgroup.events`)).stdout,
      ).toBe("10\nfrozen 1\n");
      expect(await run(`kgr ${command}; kgr wait`)).toMatchObject({ status: 0 });
      await run("sleep 0.5");
      expect((await run(left)).stdout).toBe("frozen 0\n");
      await run("kgr unload lp_awake");
    },
  );
});

describe("a signal in force", () => {
  test.each(signals)("%s: it is forced or not, and typed again it is", async (signal) => {
    await run("insmod /p/lp_busy.ko");
    for (const delay of delays) {
      await run("cat /proc/lp_busy >/dev/null 2>&1 & sleep 1; kgr load /p/lp_block.ko --no-wait");
      checkEnd(await interrupted("force --yes", signal, delay), signal);
      const again = await run("kgr force --yes; kgr status; kgr -v patches | grep -A 1 lp_block");
      expect(again.stdout, `after ${delay} s`).toMatch(
        /^(lp_block: ready, forced|ready)\nready\nlp_block\n {4}active: 1\n$/,
      );
      await run("echo 1 >/proc/lp_busy; sleep 1");
      expect(await run("kgr unload lp_block")).toMatchObject({ status: 0 });
    }
    await run("rmmod lp_busy");
  });
});

describe("a file system", () => {
  afterAll(async () => {
    await run("umount /run/kgr");
  });

  test("that is full: nothing is loaded, and the message says so", async () => {
    await run(
      "mkdir -p /run/kgr; mount -t tmpfs -o size=8k none /run/kgr; dd if=/dev/zero of=/run/kgr/fill 2>/dev/null",
    );
    const refused = await run("kgr load /p/lp_demo.ko");
    expect(refused).toMatchObject({ status: 74, stdout: "" });
    expect(refused.stderr).toMatch(complaint);
    expect(await run(stand)).toMatchObject({ stdout: clean });
    expect(await run("ls /run/kgr | grep tmp")).toMatchObject({ stdout: "" });
  });

  test("that is full keeps nobody from getting out", async () => {
    await run("rm /run/kgr/fill; kgr load /p/lp_demo.ko; dd if=/dev/zero of=/run/kgr/fill 2>/dev/null");
    expect(await run(stand)).toMatchObject({ stdout: inForce });
    expect(await run("kgr unload lp_demo")).toMatchObject({
      status: 0,
      stdout: "lp_demo: unloaded\n",
      stderr: expect.not.stringContaining("cannot") as string,
    });
    expect(await run(stand)).toMatchObject({ stdout: clean });
  });

  test("that is full keeps nobody from going back to the live patch before", async () => {
    await run("rm /run/kgr/fill; mount -o remount,size=64k /run/kgr");
    await run("kgr load /p/lp_v1.ko; kgr load /p/lp_v2.ko; dd if=/dev/zero of=/run/kgr/fill 2>/dev/null");
    // The record of the one that gives way to it goes first, and makes room.
    expect(await run("kgr downgrade --yes")).toMatchObject({
      status: 0,
      stdout: "lp_v1: ready, lp_v2 gave way\n",
    });
    expect((await run("cat /proc/version")).stdout).toBe("live patch 1\n");
    await run("kgr unload lp_v1; kgr unload lp_v2");
    expect(await run("kgr patches; ls /run/kgr | grep ^lp_")).toMatchObject({ stdout: "" });
  });

  test("without an inode left: as when it is full", async () => {
    await run("umount /run/kgr; mount -t tmpfs -o nr_inodes=1 none /run/kgr");
    const refused = await run("kgr load /p/lp_demo.ko");
    expect(refused).toMatchObject({ status: 74, stdout: "" });
    expect(refused.stderr).toMatch(complaint);
    expect(await run(stand)).toMatchObject({ stdout: clean });
  });

  test("that is read-only: a patch with a manifest is not loaded, one in force comes out", async () => {
    await run(
      "umount /run/kgr; mount -t tmpfs none /run/kgr; kgr load /p/lp_demo.ko; mount -o remount,ro /run/kgr",
    );
    expect((await run("kgr -v patches")).stdout).toContain("CVE: CVE-2026-0001");
    const unloaded = await run("kgr unload lp_demo");
    expect(unloaded).toMatchObject({ status: 0, stdout: "lp_demo: unloaded\n" });
    expect(unloaded.stderr).toContain("kgr: lp_demo: cannot remove /run/kgr/lp_demo.json: EROFS\n");
    const refused = await run("kgr load /p/lp_demo.ko");
    expect(refused).toMatchObject({ status: 74, stdout: "" });
    expect(refused.stderr).toMatch(complaint);
    expect(await run("grep -c ^lp_demo /proc/modules")).toMatchObject({ stdout: "0\n" });
  });

  test("that is full leaves a document as it was", async () => {
    await run("mkdir /tmp/small; mount -t tmpfs -o size=4k none /tmp/small; echo old >/tmp/small/kgr.prom");
    const refused = await run("kgr metrics -o /tmp/small/kgr.prom");
    expect(refused).toMatchObject({ status: 74, stdout: "" });
    expect(refused.stderr).toMatch(complaint);
    expect(await run("cat /tmp/small/kgr.prom; ls /tmp/small")).toMatchObject({ stdout: "old\nkgr.prom\n" });
    await run("umount /tmp/small");
  });
});

describe("what vanishes while it is read", () => {
  test("processes that come and go, and live patches too: every answer is an answer", async () => {
    const storm = guest.start("while :; do (true; true) & (sleep 0.01) & wait; done");
    const patches = guest.start(
      "while :; do insmod /p/lp_demo.ko; sleep 0.2; echo 0 >/sys/kernel/livepatch/lp_demo/enabled; sleep 2; rmmod lp_demo; done",
    );
    const commands = [
      "status -v",
      "-v -v patches",
      "-v -v blocking",
      "blocking_threads",
      "fixes",
      "uname",
      "metrics",
      "status --json",
      "patches --json",
      "blocking --json",
      "verify",
    ];
    const results = await run(
      `for i in 1 2 3; do ${commands.map((command) => `kgr ${command} >/tmp/out 2>/tmp/err; echo "$? ${command} $(head -1 /tmp/err)"`).join("; ")}; done`,
    );
    await storm.stop();
    await patches.stop();
    await run("kgr wait; kgr unload lp_demo");
    const lines = results.stdout.trim().split("\n");
    expect(lines).toHaveLength(3 * commands.length);
    const bad = lines.filter((line) => !/^0 |^[017] verify/.test(line));
    expect(bad).toEqual([]);
  });
});
