/** What one run of a command costs in the guest: time, memory, system calls. */
import type { Guest } from "@kgraft/lab";

export interface Cost {
  readonly question: "status" | "patches" | "blocking";
  readonly program: string;
  readonly timeMs: number;
  readonly memoryKb: number;
  /** Of all its processes; null where it is not counted. */
  readonly systemCalls: number | null;
}

const questions = ["status", "patches", "blocking"] as const;

/** Measures with so many more tasks asleep, and one that blocks the transition of a live patch. */
export async function commandCosts(guest: Guest, tasks: number): Promise<readonly Cost[]> {
  await expectOk(guest, "insmod /p/lp_busy.ko");
  await expectOk(guest, "cat /proc/lp_busy >/dev/null 2>&1 & sleep 1; insmod /p/lp_block.ko; sleep 2");
  const sleepers = guest.start(`ulimit -u unlimited; tasks ${tasks}`);
  while (!sleepers.output.stdout.includes("ready")) {
    await expectOk(guest, "sleep 1");
  }
  const costs: Cost[] = [];
  for (const question of questions) {
    // In turns, so that whatever disturbs the machine disturbs all of them.
    costs.push(await measure(guest, question, "kgr", `kgr ${question}`, tasks));
    costs.push(await measure(guest, question, "C program", `reader ${question}`, tasks));
  }
  costs.push(await measure(guest, "blocking", "kpatch list", "bash /bin/kpatch list", tasks));
  await sleepers.stop();
  await expectOk(
    guest,
    "kgr disable lp_block && kgr unload lp_block; echo 1 >/proc/lp_busy; sleep 1; rmmod lp_busy",
  );
  return costs;
}

async function measure(
  guest: Guest,
  question: Cost["question"],
  program: string,
  command: string,
  tasks: number,
): Promise<Cost> {
  // kpatch forks twice for each task: once is enough, and following it would take another half hour.
  const once = program === "kpatch list";
  const times = once ? 1 : tasks > 1000 ? 7 : 51;
  const count = once && tasks > 1000 ? "" : "-c ";
  const said = await expectOk(guest, `measure ${count}${times} ${command}`);
  const [timeUs, memoryKb, systemCalls = null] = said.trim().split(" ").map(Number);
  return { question, program, timeMs: timeUs! / 1000, memoryKb: memoryKb!, systemCalls };
}

async function expectOk(guest: Guest, command: string): Promise<string> {
  const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 1_800_000 });
  if (status !== 0) {
    throw new Error(`cannot run ${command} in the guest: status ${status}, ${stderr}`);
  }
  return stdout;
}

/** The costs in rows, with the ratio to the C program that answers the same. */
export function costTable(costs: readonly Cost[]): string {
  const rows = costs.map((cost) => {
    const least = costs.find(
      ({ question, program }) => question === cost.question && program === "C program",
    )!;
    return [
      `${cost.program === "kpatch list" ? "" : `${cost.question}, `}${cost.program}`.padEnd(24),
      cost.timeMs.toFixed(1).padStart(12),
      `${(cost.timeMs / least.timeMs).toFixed(2)} x`.padStart(10),
      String(cost.memoryKb).padStart(12),
      String(cost.systemCalls ?? "-").padStart(14),
    ].join("");
  });
  const head = [
    "".padEnd(24),
    "time, ms".padStart(12),
    "ratio".padStart(10),
    "memory, kB".padStart(12),
    "system calls".padStart(14),
  ];
  return [head.join(""), ...rows].join("\n");
}
