/**
 * One live patch after another. One processor, so that a transition is over as soon as it is begun: with two, the
 * kernel looks only after a second whether the other's idle task has moved.
 */
import { rm } from "node:fs/promises";
import { bootGuest } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kgrFiles, makeModules, type Suite, testKernel } from "./guest.ts";
import { rowOf, type Scene, sceneIn } from "./scene.ts";

const names = ["lp_demo", "lp_step_00", "lp_whole_00"] as const;
const steps = Array.from({ length: 15 }, (_, at) => `lp_step_${String(at + 1).padStart(2, "0")}`);
const wholes = steps.slice(0, 5).map((name) => name.replace("step", "whole"));

export interface Succession {
  readonly suite: Suite;
  /** How often one is loaded and reverted while memory is looked at. */
  readonly rounds: number;
}

export function describeSuccession({ suite, rounds }: Succession): void {
  describe(`one live patch after another, ${suite}`, () => {
    let scene: Scene;
    beforeAll(async () => {
      const kernel = await testKernel(suite);
      const folder = await makeModules(kernel, names);
      try {
        const files = [
          ...(await kgrFiles()),
          { path: "/p/lp_demo.ko", source: `${folder}/lp_demo.ko` },
          ...(await rowOf(folder, "lp_step", steps.length)),
          ...(await rowOf(folder, "lp_whole", wholes.length)),
        ];
        scene = sceneIn(await bootGuest({ kernel, files, cpus: 1, timeoutMs: 300_000 + rounds * 3000 }));
      } finally {
        await rm(folder, { recursive: true });
      }
    });
    afterAll(async () => {
      await scene.guest.shutdown();
    });
    testsOfSteps(() => scene);
    testsOfWholes(() => scene);
    testOfRounds(() => scene, rounds);
  });
}

function testsOfSteps(scene: () => Scene): void {
  test("fifteen of one function in quick succession: the newest is in force each time", async () => {
    const { says } = scene();
    const shown = await says(
      `for step in ${steps.join(" ")}; do kgr load /p/$step.ko 2>/dev/null >&2 && cat /proc/cmdline; done; kgr status`,
    );
    expect(shown.split("\n")).toEqual([...steps, "ready"]);
    expect((await says("kgr patches")).split("\n")).toEqual(steps);
    expect(await says("kgr -v patches | grep -c 'active: 1'")).toBe("15");
  });

  test("taken back from the newest, the one before is in force each time", async () => {
    const { says } = scene();
    const newestFirst = steps.toReversed();
    const shown = await says(
      `for step in ${newestFirst.slice(0, -1).join(" ")}; do kgr unload $step >/dev/null && cat /proc/cmdline; done`,
    );
    expect(shown.split("\n")).toEqual(newestFirst.slice(1));
    await says("kgr unload lp_step_01");
    expect(await says("kgr patches; cat /proc/cmdline")).toContain("console=");
  });

  test("all at once: one is loaded, the others say why not, and nothing is half done", async () => {
    const { says } = scene();
    const ends = await says(
      `for step in ${steps.slice(0, 6).join(" ")}; do { kgr load /p/$step.ko >/dev/null 2>&1; echo $?; } & done; wait`,
    );
    const loaded = ends.split("\n").filter((status) => status === "0").length;
    expect(loaded).toBeGreaterThan(0);
    expect(await says("kgr status; kgr -v patches | grep -c 'active: 1'")).toBe(`ready\n${loaded}`);
    await says("for step in $(kgr patches); do kgr unload $step || exit; done");
    expect(await says("kgr patches")).toBe("");
  });
}

function testsOfWholes(scene: () => Scene): void {
  test("four cumulative ones and a last: each takes the place of the one before", async () => {
    const { says } = scene();
    for (const [at, name] of wholes.entries()) {
      const before = wholes[at - 1];
      const replaced =
        before === undefined ? [] : [`${before}: replaced, remove its module with: kgr unload ${before}`];
      const [ready, ...more] = (await says(`kgr load /p/${name}.ko 2>/dev/null`)).split("\n");
      expect(ready).toMatch(new RegExp(`^${name}: ready after`));
      expect(more).toEqual(replaced);
      expect(await says("cat /proc/cmdline")).toBe(name);
    }
    const states = wholes.map((name, at) => `${name}\n    active: ${at === 4 ? 1 : 0}`).join("\n");
    expect(await says("kgr -v patches | grep -v -e RPM -e CVE -e bug")).toBe(states);
  });

  test("the last cannot be removed while it is enabled, the older ones can", async () => {
    const { says, run } = scene();
    const [last, ...older] = wholes.toReversed();
    const removed = await run(`rmmod ${last}`);
    expect(removed.status).not.toBe(0);
    expect(removed.stderr).toContain("Resource temporarily unavailable");
    for (const name of older) {
      expect(await says(`kgr unload ${name}; cat /proc/cmdline`)).toBe(`${name}: unloaded\n${last}`);
    }
    expect(await says(`kgr patches; kgr unload ${last}; kgr patches`)).toBe(`${last}\n${last}: unloaded`);
    expect(await says("cat /proc/cmdline")).toContain("console=");
  });
}

const pagesOf = ["SUnreclaim", "VmallocUsed", "Percpu", "KernelStack", "PageTables"];

/** What the kernel's allocators have handed out: objects of each slab cache, and kilobytes of what /proc/meminfo counts. */
async function memoryInUse({ says }: Scene): Promise<ReadonlyMap<string, number>> {
  await says("sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1");
  const slabs = await says("cat /proc/slabinfo");
  const info = await says("cat /proc/meminfo");
  return new Map(
    [
      ...slabs.matchAll(/^(\S+) +(\d+) +\d+ +\d+ +\d+ +\d+ : /gm),
      ...info.matchAll(new RegExp(`^(${pagesOf.join("|")}): +(\\d+) kB$`, "gm")),
    ].map(([, name, count]) => [name!, Number(count)] as const), // both are in every match
  );
}

function testOfRounds(scene: () => Scene, rounds: number): void {
  test(
    `${rounds} times there and back: no memory is lost`,
    async () => {
      const { says } = scene();
      const turn = async (times: number): Promise<void> => {
        for (let left = times; left > 0; left -= 20) {
          const some = `seq ${Math.min(left, 20)}`;
          await says(
            `for round in $(${some}); do kgr load /p/lp_demo.ko && kgr unload lp_demo || exit; done >/dev/null 2>&1`,
          );
        }
      };
      await turn(5); // what is made once, and caches that fill
      // One object or one page lost in each round shows as a growth by as many as there were rounds, and so each time
      // anew; what other work of the kernel took for itself does not grow again.
      const mostOf = (name: string): number => (pagesOf.includes(name) ? 4 : 1) * rounds;
      const lost = async (): Promise<readonly string[]> => {
        const before = await memoryInUse(scene());
        await turn(rounds);
        const after = await memoryInUse(scene());
        const grown = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
        const figures = grown.filter(([, more]) => more !== 0).map((one) => one.join(" "));
        console.log(`${rounds} rounds: ${figures.join(", ")}`);
        return grown.flatMap(([name, more]) => (more >= mostOf(name) ? [name] : []));
      };
      const first = await lost();
      const again = first.length === 0 ? [] : await lost();
      expect(first.filter((name) => again.includes(name))).toEqual([]);
    },
    600_000 + rounds * 6000,
  );
}
