/** How long a live patch takes from being loaded to being in force for every task. */
import type { Guest } from "@kgraft/lab";
import { median } from "../median.ts";

export interface LoadTime {
  readonly machine: string;
  readonly kgrMs: number;
  readonly insmodMs: number;
}

interface Scene {
  readonly machine: string;
  readonly patch: string;
  readonly before: string;
  readonly after: string;
  readonly rounds: number;
}

const scenes: readonly Scene[] = [
  { machine: "idle", patch: "lp_demo", before: ":", after: ":", rounds: 5 },
  {
    machine: "loaded, 8 busy loops",
    patch: "lp_demo",
    before: "for i in 1 2 3 4 5 6 7 8; do (while :; do cat /proc/cmdline >/dev/null; done) & done; sleep 1",
    after: "pkill -f 'while' ; kill $(jobs -p) 2>/dev/null; :",
    rounds: 5,
  },
  {
    machine: "a sleeper in the patched function",
    patch: "lp_awake",
    before: "insmod /p/lp_sleep.ko; (cat /proc/lp_sleep >/dev/null 2>&1 &); sleep 1",
    after: "rmmod lp_sleep",
    rounds: 3,
  },
];

const waitForEnd = (patch: string): string =>
  `while [ "$(cat /sys/kernel/livepatch/${patch}/transition)" = 1 ]; do usleep 5000; done`;

export async function loadTimes(guest: Guest): Promise<readonly LoadTime[]> {
  await run(guest, "mkdir -p /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup");
  const times: LoadTime[] = [];
  for (const scene of scenes) {
    const kgr: number[] = [];
    const insmod: number[] = [];
    for (let round = 0; round < scene.rounds; round++) {
      kgr.push(await timeOf(guest, scene, `kgr load /p/${scene.patch}.ko >/dev/null 2>&1`));
      insmod.push(await timeOf(guest, scene, `insmod /p/${scene.patch}.ko; ${waitForEnd(scene.patch)}`));
    }
    times.push({ machine: scene.machine, kgrMs: median(kgr), insmodMs: median(insmod) });
  }
  return times;
}

async function timeOf(guest: Guest, scene: Scene, command: string): Promise<number> {
  const script = [
    scene.before,
    "s=$(cut -d' ' -f1 /proc/uptime)",
    command,
    "e=$(cut -d' ' -f1 /proc/uptime)",
    `grep -q 1 /sys/kernel/livepatch/${scene.patch}/enabled || exit 3`,
    scene.after,
    `kgr unload ${scene.patch} >/dev/null 2>&1`,
    'echo "$s $e"',
  ];
  const [start, end] = (await run(guest, script.join("\n"))).trim().split(" ").map(Number);
  return (end! - start!) * 1000;
}

async function run(guest: Guest, command: string): Promise<string> {
  const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 300_000 });
  if (status !== 0) {
    throw new Error(`cannot run ${command} in the guest: status ${status}, ${stderr}`);
  }
  return stdout;
}

export function loadTable(times: readonly LoadTime[]): string {
  const rows = times.map(({ machine, kgrMs, insmodMs }) =>
    [
      machine.padEnd(36),
      kgrMs.toFixed(0).padStart(14),
      insmodMs.toFixed(0).padStart(14),
      `${(kgrMs / insmodMs).toFixed(2)} x`.padStart(10),
    ].join(""),
  );
  return [
    ["".padEnd(36), "kgr load, ms".padStart(14), "insmod, ms".padStart(14), "ratio".padStart(10)].join(""),
    ...rows,
  ].join("\n");
}
