/**
 * Live patches while the machine changes under them: modules, processors and tasks come and go, tasks are held, and
 * others hook the very function that is patched.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asNobody, bootWithModules, makeProgram, type Suite } from "./guest.ts";
import { type Scene, sceneIn } from "./scene.ts";

const names = ["lp_demo", "lp_pair", "lp_both", "lp_sleep", "lp_awake"] as const;
const patched = "this has been live patched";

export function describeChurn(suite: Suite): void {
  describe(`a machine that changes meanwhile, ${suite}`, () => {
    let scene: Scene;
    beforeAll(async () => {
      const programs = [await makeProgram("load"), await makeProgram("bpf")];
      scene = sceneIn(await bootWithModules(programs, { suite, names, timeoutMs: 900_000 }));
      await scene.says("mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup");
    });
    afterAll(async () => {
      await scene.guest.shutdown();
    });
    testsOfModules(() => scene);
    testsOfTasks(() => scene);
    testsOfHooks(() => scene);
  });
}

/** One patch on and off again, as root, with an ordinary user looking on. */
async function thereAndBack({ says }: Scene): Promise<void> {
  await says("kgr load /p/lp_demo.ko");
  expect(await says(`cat /proc/cmdline; kgr status; ${asNobody("kgr status; kgr patches")}`)).toBe(
    `${patched}\nready\nready\nlp_demo`,
  );
  await says("kgr unload lp_demo");
  expect(await says("kgr patches; cat /proc/cmdline")).toContain("console=");
}

function testsOfModules(scene: () => Scene): void {
  test("a module that comes after its patch is patched from the outset, each time that it comes", async () => {
    const { says } = scene();
    await says("kgr load /p/lp_both.ko");
    expect(await says("kgr -v -v patches")).toContain("functions: lp_pair:lp_pair_first");
    const comesAndGoes = "insmod /p/lp_pair.ko && cat /proc/lp_pair && echo && rmmod lp_pair";
    expect(await says(`${comesAndGoes} && ${comesAndGoes}`)).toBe("nn\nnn");
    expect(await says("insmod /p/lp_pair.ko; cat /proc/lp_pair")).toBe("nn");
    await says("kgr unload lp_both");
    expect(await says("cat /proc/lp_pair; rmmod lp_pair")).toBe("oo");
  });

  test("a module that comes and goes all the time, through every transition", async () => {
    const { says, begin } = scene();
    const loop =
      "while insmod /p/lp_pair.ko && cat /proc/lp_pair && echo && rmmod lp_pair; do :; done; echo failed";
    const changes = await begin(loop, "oo");
    for (let round = 0; round < 2; round++) {
      await says("kgr load /p/lp_both.ko && sleep 1 && kgr unload lp_both");
    }
    const shown = (await changes.end()).split("\n");
    expect(new Set(shown.slice(0, -2))).toEqual(new Set(["oo", "nn"])); // the last may have been cut off
    await says("rmmod lp_pair 2>/dev/null; ! grep lp_pair /proc/modules");
  });

  test("a processor that comes and goes", async () => {
    const { says, begin } = scene();
    const online = "/sys/devices/system/cpu/cpu1/online";
    const loop = `while echo 0 >${online} && echo 1 >${online}; do echo turn; done; echo failed`;
    const turns = await begin(loop, "turn");
    await thereAndBack(scene());
    expect((await turns.end()).split("\n").slice(2)).not.toContain("failed");
    await says(`echo 1 >${online} || [ $(cat ${online}) = 1 ]`);
    // One that is away all the while runs the new function when it comes back.
    await says(`echo 0 >${online}; kgr load /p/lp_demo.ko; echo 1 >${online}`);
    expect(
      await says("taskset 2 cat /proc/cmdline; kgr unload lp_demo; taskset 1 cat /proc/cmdline"),
    ).toMatch(new RegExp(`^${patched}\nlp_demo: unloaded\n.*console=`));
  });
}

function testsOfTasks(scene: () => Scene): void {
  test("tasks that are stopped, or frozen: none of them blocks", async () => {
    const { says } = scene();
    await says(
      `insmod /p/lp_sleep.ko; mkdir /sys/fs/cgroup/cold
       for i in 1 2 3 4 5 6; do cat /proc/lp_sleep & pids="$pids $!"; done >/dev/null 2>&1
       sleep 1; set -- $pids; kill -STOP $1 $2 $3; echo $4 >/sys/fs/cgroup/cold/cgroup.procs
       echo $5 >/sys/fs/cgroup/cold/cgroup.procs; echo 1 >/sys/fs/cgroup/cold/cgroup.freeze; sleep 1`,
    );
    expect(await says("kgr load /p/lp_awake.ko --timeout 100")).toMatch(/^lp_awake: ready after/);
    expect(
      await says("grep -l T.*stopped /proc/[0-9]*/status | wc -l; cat /sys/fs/cgroup/cold/cgroup.events"),
    ).toContain("3\npopulated 1\nfrozen 1");
    // Let go, they find the new function, which sends them home.
    await says("echo 0 >/sys/fs/cgroup/cold/cgroup.freeze; killall -CONT cat; sleep 1");
    expect(await says("grep -l lp_sleep /proc/[0-9]*/cmdline | wc -l")).toBe("1"); // itself
    await says("kgr unload lp_awake && rmmod lp_sleep && rmdir /sys/fs/cgroup/cold");
  });

  test("a storm of forks", async () => {
    const { begin } = scene();
    const storm = await begin("load fork 4");
    await thereAndBack(scene());
    const [, forks] = /^forks (\d+)$/m.exec(await storm.end()) ?? [];
    expect(Number(forks)).toBeGreaterThan(0);
  });
}

const tracing = "cd /sys/kernel/tracing &&";

/** Where a BPF program's word is kept. */
function bpf(kind: "kprobe" | "fentry"): readonly [begin: string, count: string] {
  const [word, id] = [`/tmp/bpf-${kind}`, `$(pidof bpf-${kind})`];
  return [
    `ln -sf bpf /bin/bpf-${kind} && rm -f ${word}; bpf-${kind} ${kind} cmdline_proc_show >${word} 2>&1 &
     until grep . ${word} 2>&1; do sleep 0.1; done; grep ready ${word}`,
    `kill -USR1 ${id}; sleep 0.3; sed -n '$s/calls //p' ${word}`,
  ];
}

/** Others that hook the function: how each begins, and how often it has seen the function called. */
const hooks: readonly (readonly [name: string, begin: string, count: string])[] = [
  [
    "the function tracer",
    `${tracing} mkdir instances/own && cd instances/own && echo cmdline_proc_show >set_ftrace_filter && echo function >current_tracer`,
    `${tracing} grep -c cmdline_proc_show instances/own/trace`,
  ],
  [
    "the function graph tracer",
    `${tracing} echo cmdline_proc_show >set_ftrace_filter && echo function_graph >current_tracer`,
    `${tracing} grep -c 'cmdline_proc_show();' trace`,
  ],
  [
    "a kprobe event",
    `${tracing} echo p:mine cmdline_proc_show >>kprobe_events && echo 1 >events/kprobes/mine/enable`,
    `${tracing} grep -c mine: trace`,
  ],
  [
    "a return probe",
    `${tracing} echo r:back cmdline_proc_show >>kprobe_events && echo 1 >events/kprobes/back/enable`,
    `${tracing} grep -c back: trace`,
  ],
  ["a BPF program on a kprobe", ...bpf("kprobe")],
  ["a BPF program by trampoline", ...bpf("fentry")],
];

const endOfHooks = `killall bpf-kprobe bpf-fentry; ${tracing} echo 0 >events/kprobes/enable; echo >kprobe_events
  echo nop >current_tracer; echo >set_ftrace_filter; echo >trace; rmdir instances/own`;

function testsOfHooks(scene: () => Scene): void {
  const beginAll = async (): Promise<void> => {
    for (const [, begin] of hooks) await scene().says(begin);
  };
  const counts = async (): Promise<Readonly<Record<string, number>>> => {
    const counted: Record<string, number> = {};
    for (const [name, , count] of hooks) counted[name] = Number((await scene().run(count)).stdout);
    return counted;
  };
  const each = (count: number): Readonly<Record<string, number>> =>
    Object.fromEntries(hooks.map(([name]) => [name, count]));

  test("tracers, probes and BPF programs on the function before it is patched: all work on", async () => {
    const { says } = scene();
    await beginAll();
    expect(await says("cat /proc/cmdline")).toContain("console=");
    expect(await counts()).toEqual(each(1));
    await says("kgr load /p/lp_demo.ko");
    expect(await says("cat /proc/cmdline")).toBe(patched);
    expect(await counts()).toEqual(each(2));
    await says("kgr unload lp_demo");
    expect(await says("cat /proc/cmdline")).toContain("console=");
    expect(await counts()).toEqual(each(3));
    await says(endOfHooks);
  });

  test("the same on a function that is patched already", async () => {
    const { says } = scene();
    await says("kgr load /p/lp_demo.ko");
    await beginAll();
    expect(await says("cat /proc/cmdline")).toBe(patched);
    expect(await counts()).toEqual(each(1));
    await says(endOfHooks);
    expect(await says("cat /proc/cmdline; kgr unload lp_demo")).toBe(`${patched}\nlp_demo: unloaded`);
  });

  test("the function tracer on hundreds of functions, on those of live patching itself too", async () => {
    const { says } = scene();
    await says(
      `${tracing} echo '*proc_* seq_* *module* klp_*' >set_ftrace_filter && echo function >current_tracer`,
    );
    expect(Number(await says(`${tracing} wc -l <enabled_functions`))).toBeGreaterThan(300);
    await thereAndBack(scene());
    expect(
      await says(`${tracing} cat current_tracer; echo nop >current_tracer; echo >set_ftrace_filter`),
    ).toBe("function");
  });
}
