import { describe, expect, test } from "vitest";
import { idleMachine, livePatchFiles, type Machine, makeMachine, threadFiles } from "../test/machine.ts";
import type { Thread } from "./blocking-threads.ts";
import type { LivePatch } from "./livepatch.ts";
import { type Watch, watchStubborn } from "./stubborn.ts";
import type { System } from "./system.ts";

const patch: LivePatch = { name: "lp_demo", state: "applying" };

interface Watched {
  readonly machine: Machine;
  /** One look at all of them, a second later. @returns the calls to the system that it took */
  readonly look: () => Promise<readonly string[]>;
  readonly told: readonly string[];
}

/** So many processes that sleep in a function that changes, and someone who watches them. */
function watched(count: number): Watched {
  const threads: Thread[] = [];
  const files: Record<string, string> = { "/proc/mounts": "none /sys/fs/cgroup cgroup2 rw 0 0\n" };
  for (let pid = 100; pid < 100 + count; pid++) {
    threads.push({ pid, tid: pid });
    Object.assign(files, threadFiles(pid, pid, "0", `job${pid}\u0000`), {
      [`/proc/${pid}/cgroup`]: `0::/${pid % 2 === 0 ? "even" : "odd"}.service\n`,
    });
  }
  const machine = makeMachine({ ...idleMachine, ...livePatchFiles("lp_demo", 1, 1), ...files });
  const calls: string[] = [];
  const told: string[] = [];
  const watch: Watch = watchStubborn(noting(machine.system, calls), {
    nudge: true,
    tell: (line) => told.push(line),
  });
  return {
    machine,
    told,
    async look() {
      calls.length = 0;
      await watch(patch, threads);
      await machine.system.sleep(1000);
      return [...calls];
    },
  };
}

/** The machine, with a note of each file that is asked for. */
function noting(system: System, calls: string[]): System {
  return {
    ...system,
    readBytes: (path, limitBytes) => (calls.push(`read ${path}`), system.readBytes(path, limitBytes)),
    readBytesAt: (path, at, count) => (calls.push(`read ${path}`), system.readBytesAt(path, at, count)),
    makeDirectory: (path) => (calls.push(`mkdir ${path}`), system.makeDirectory(path)),
    writeFile: (path, text) => (calls.push(`write ${path} ${text}`), system.writeFile(path, text)),
    replaceFile: (path, text) => (calls.push(`replace ${path} ${text}`), system.replaceFile(path, text)),
    removeFile: (path) => (calls.push(`remove ${path}`), system.removeFile(path)),
  };
}

describe("watchStubborn()", () => {
  test("reads nothing of those that it sees for the first time", async () => {
    expect(await watched(50).look()).toEqual([]);
  });

  test("makes one group for all that are in one, and reads no stack to do so", async () => {
    const { look } = watched(50);
    await look();
    const calls = await look();
    expect(calls.filter((call) => call.startsWith("mkdir /sys"))).toEqual([
      "mkdir /sys/fs/cgroup/even.service/kgr",
      "mkdir /sys/fs/cgroup/odd.service/kgr",
    ]);
    expect(calls.filter((call) => /\/(stack|cmdline|comm)$/.test(call))).toEqual([]);
    expect(calls.filter((call) => call === "read /proc/mounts")).toHaveLength(1);
  });

  test("leaves those alone that it has woken three times, and tells of five", async () => {
    const { look, told } = watched(50);
    for (let time = 0; time < 5; time++) {
      await look();
    }
    expect(await look()).toEqual([]);
    expect(told).toHaveLength(10);
    expect(told.slice(0, 2)).toEqual([
      "100 job100: sleeps in the kernel",
      "     wake it with: kgr poke; or restart even.service, or turn back with: kgr disable lp_demo",
    ]);
  });

  test("brings those home that one which was killed has left in its own group", async () => {
    const { look, machine } = watched(2);
    machine.put({ "/proc/100/cgroup": "0::/even.service/kgr\n", "/proc/101/cgroup": "0::/kgr\n" });
    await look();
    expect((await look()).filter((call) => call.startsWith("mkdir /sys"))).toEqual([
      "mkdir /sys/fs/cgroup/even.service/kgr",
      "mkdir /sys/fs/cgroup/kgr",
    ]);
  });

  test("notes the group while its processes are frozen, and not after", async () => {
    const { look, machine } = watched(1);
    const own = "/sys/fs/cgroup/even.service/kgr";
    machine.put({ [`${own}/cgroup.freeze`]: "0" });
    await look();
    const calls = await look();
    expect(calls.filter((call) => /frozen|freeze/.test(call))).toEqual([
      `replace /run/kgr/frozen ${own}\n`,
      `write ${own}/cgroup.freeze 1`,
      `write ${own}/cgroup.freeze 0`,
      "remove /run/kgr/frozen",
    ]);
  });
});

describe("thawLeftOver()", () => {
  const own = "/sys/fs/cgroup/a.service/kgr";

  test.each(["poke", "wait"])(
    "by kgr %s: what one that was killed left frozen is given back",
    async (command) => {
      const machine = makeMachine({
        ...idleMachine,
        "/run/kgr/frozen": `${own}\n`,
        [`${own}/cgroup.freeze`]: "1",
        [`${own}/cgroup.procs`]: "100\n",
        "/sys/fs/cgroup/a.service/cgroup.procs": "",
      });
      expect(await machine.kgr(command)).toMatchObject({ status: 0, err: "" });
      expect(machine.read(`${own}/cgroup.freeze`)).toBe("0");
      expect(machine.read("/sys/fs/cgroup/a.service/cgroup.procs")).toBe("100");
      expect(machine.system.exists("/run/kgr/frozen")).toBe(false);
    },
  );

  test.each(["", "nonsense\n", "/sys/fs/cgroup/gone/kgr\n"])(
    "a note that says %j harms nothing",
    async (text) => {
      const machine = makeMachine({ ...idleMachine, "/run/kgr/frozen": text });
      expect(await machine.kgr("wait")).toEqual({ status: 0, out: "ready\n", err: "" });
    },
  );

  test("poke --dry-run leaves it", async () => {
    const machine = makeMachine({
      ...idleMachine,
      "/run/kgr/frozen": `${own}\n`,
      [`${own}/cgroup.freeze`]: "1",
    });
    await machine.kgr("poke", "--dry-run");
    expect(machine.read(`${own}/cgroup.freeze`)).toBe("1");
  });
});
