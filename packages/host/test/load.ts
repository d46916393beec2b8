/**
 * Live patches on a machine that is at work. Each scene is patched and turned back by kgr while its load runs, and it
 * is the load that tells whether all went well: what its tasks have read.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asNobody, bootWithModules, makeProgram, type Suite } from "./guest.ts";
import { type Scene, sceneIn } from "./scene.ts";

const names = ["lp_demo", "lp_pair", "lp_both", "lp_sleep", "lp_awake"] as const;
const patched = "this has been live patched";

export function describeLoad(suite: Suite): void {
  describe(`a machine at work, ${suite}`, () => {
    let scene: Scene;
    beforeAll(async () => {
      const guest = await bootWithModules([await makeProgram("load")], { suite, names, timeoutMs: 900_000 });
      scene = sceneIn(guest);
      await scene.says("mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup");
    });
    afterAll(async () => {
      await scene.guest.shutdown();
    });
    testsOfPatching(() => scene);
    testsOfMemory(() => scene);
    testsOfSleepers(() => scene);
  });
}

/** One patch on and off again, as root, with an ordinary user looking on. @returns what was seen of it */
async function thereAndBack({ says }: Scene): Promise<readonly string[]> {
  const seen = await says(
    `kgr load /p/lp_demo.ko && cat /proc/cmdline && kgr check && ${asNobody("kgr status; kgr -v patches | head -n 2")} &&
     kgr unload lp_demo && kgr patches && kgr blocking && sed 's/.*console=.*/original/' /proc/cmdline`,
  );
  return seen.replace(/ after \d+\.\d s/, "").split("\n");
}

const wentAndCame = [
  "lp_demo: ready",
  patched,
  "ready",
  "lp_demo",
  "    active: 1",
  "lp_demo: unloaded",
  "original",
];

function testsOfPatching(scene: () => Scene): void {
  test("idle", async () => {
    expect(await thereAndBack(scene())).toEqual(wentAndCame);
  });

  test("a function that many threads call: each sees it as it was or as it is, and moves once", async () => {
    const { says, begin } = scene();
    const tell = "kill -USR1 $(pidof load); sleep 0.5";
    await says("insmod /p/lp_pair.ko");
    const readers = await begin("load read 16 /proc/lp_pair & sleep 1; kill -USR1 $!; wait", "changes");
    await says("kgr load /p/lp_both.ko");
    await says(`${tell}; ${tell}`);
    await says(`kgr unload lp_both; ${tell}; ${tell}`);
    expect(await readers.end()).toMatch(
      new RegExp(
        [
          "^oo \\d+\nchanges 0", // before
          "oo \\d+\nnn \\d+\nchanges 1", // until it was said to be ready
          "nn \\d+\nchanges 0", // from then on
          "oo \\d+\nnn \\d+\nchanges 1",
          "oo \\d+\nchanges 0\n$",
        ].join("\n"),
      ),
    );
    await says("rmmod lp_pair");
  });

  // On 6.12 this takes minutes, as does a storm of forks: docs/limits.md, "rewriting each call of cond_resched()".
  test("all processors busy, in user space and in the kernel", async () => {
    const spin = "(while :; do :; done) & (dd if=/dev/zero of=/dev/null bs=1M) & ";
    const busy = await scene().begin(`${spin.repeat(2)} echo ready; wait`);
    expect(await thereAndBack(scene())).toEqual(wentAndCame);
    await busy.end();
  });
}

function testsOfMemory(scene: () => Scene): void {
  test("memory nearly used up", async () => {
    const held = await scene().begin("load hold 24");
    expect(await thereAndBack(scene())).toEqual(wentAndCame);
    await held.end();
  });

  test("killed for want of memory at any moment: the machine has the old or the new", async () => {
    const { says, run } = scene();
    const group = "/sys/fs/cgroup/small";
    await says("echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/small");
    const ends: number[] = [];
    for (const kib of [768, 1024, 1152, 1280, 2048]) {
      await says(`echo ${kib * 1024} >${group}/memory.max`);
      const { status } = await run(`echo $$ >${group}/cgroup.procs; exec kgr load /p/lp_demo.ko`);
      ends.push(status);
      await says("kgr wait");
      const active = (await says("kgr -v patches")).includes("active: 1");
      expect((await says("cat /proc/cmdline")) === patched).toBe(active);
      expect(active || status !== 0).toBe(true);
      expect(await run("kgr unload lp_demo")).toMatchObject({ status: active ? 0 : 66 });
    }
    expect(ends).toContain(137);
    expect(ends.at(-1)).toBe(0);
  });
}

function testsOfSleepers(scene: () => Scene): void {
  test("thousands of sleeping tasks", async () => {
    const sleepers = await scene().begin("load sleep 3000");
    expect(await thereAndBack(scene())).toEqual(wentAndCame);
    await sleepers.end();
  });

  test("hundreds that sleep in the function itself are all woken, as one group", async () => {
    const { says } = scene();
    const events = "/sys/kernel/tracing/events/cgroup";
    await says(
      `insmod /p/lp_sleep.ko; echo 1 >${events}/cgroup_mkdir/enable; echo 1 >${events}/cgroup_freeze/enable
       for i in $(seq 300); do cat /proc/lp_sleep & done >/tmp/out 2>&1; sleep 3`,
    );
    expect(await says("kgr load /p/lp_awake.ko")).toMatch(/^lp_awake: ready after/);
    expect(await says("sleep 1; cat /tmp/out; grep -l lp_sleep /proc/[0-9]*/cmdline | wc -l")).toBe("1"); // itself
    expect(await says("find /sys/fs/cgroup -name kgr")).toBe("");
    // Three times at most, and not once for each of them.
    const count = (event: string): string => `grep -c '${event}: .*/kgr' /sys/kernel/tracing/trace`;
    expect(await says(`${count("cgroup_mkdir")}; ${count("cgroup_freeze")}`)).toMatch(/^([123])\n\1$/);
    await says(
      `echo 0 >${events}/enable; echo >/sys/kernel/tracing/trace; kgr unload lp_awake && rmmod lp_sleep`,
    );
  });
}
