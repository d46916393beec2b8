/**
 * What kGraft's own commands say, whole and to the letter, in a real kernel: by both names, to root and to an ordinary
 * user. Only what differs from run to run has a word in its place: numbers of processes, times, places in code.
 */
import type { CommandResult, Guest } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asNobody, bootWithManifests, makeProgram } from "./guest.ts";

let guest: Guest;

beforeAll(async () => {
  const replaced = { lp_block: ["lp_busy:lp_busy_sleep"] };
  guest = await bootWithManifests(replaced, { names: ["lp_busy", "lp_block"] }, [await makeProgram("load")]);
  await run("insmod /p/lp_busy.ko");
});
afterAll(async () => {
  await guest.shutdown();
});

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 90_000 });
}

/** All that a command says, the standard error output last, and its exit code where that is not 0. */
async function said(command: string): Promise<string> {
  const { status, stdout, stderr } = await run(`${command} </dev/null`);
  return `${stdout}${stderr}`
    .replaceAll(/ for \d+ (ms|s|min|h)\b/g, " for TIME")
    .replaceAll(/\+0x[0-9a-f]+\/0x[0-9a-f]+/g, "+AT")
    .concat(status === 0 ? "" : `[${status}]\n`);
}

type Row = readonly [command: string, answer: string];

const readyRows: readonly Row[] = [
  ["kgr status", "ready\n"],
  ["klp status", "ready\n"],
  ["kgr check", ""],
  ["klp check", ""],
  ["kgr blocking", ""],
  ["klp blocking", ""],
  ["kgr -v blocking", "no processes with kgr_in_progress set\n"],
  ["klp -v blocking", "no threads with klp_in_progress set\n"],
  ["kgr -v -v blocking", "no processes with kgr_in_progress set\n"],
  ["klp -v -v blocking", "no threads with klp_in_progress set\n"],
  ["kgr blocking_threads", ""],
  ["klp blocking_threads", ""],
  ["kgr -v blocking_threads", "no processes with kgr_in_progress set\n"],
  ["klp -v blocking_threads", "no threads with klp_in_progress set\n"],
];
/** What only root may do. */
const refused = (program: string): string =>
  `${program}: cannot change live patches: this user is not root\n     type the command after: sudo\n[77]\n`;

describe("with nothing loaded", () => {
  test.each<Row>([
    ...readyRows,
    ["kgr patches", ""],
    ["klp -v -v patches", ""],
    ["kgr poke", ""],
    ["kgr -v poke", "no processes with kgr_in_progress set\n"],
    ["klp -v poke", "no threads with klp_in_progress set\n"],
    ["kgr force", "ready\n"],
    ["klp force --yes", "ready\n"],
  ])("%s", async (command, answer) => {
    expect(await said(command)).toBe(answer);
  });

  test.each<Row>([
    ...readyRows,
    ["kgr poke", refused("kgr")],
    ["klp force", refused("klp")],
    ["kgr force --dry-run", refused("kgr")],
  ])("%s, as an ordinary user", async (command, answer) => {
    expect(await said(asNobody(command))).toBe(answer);
  });
});

describe("with two threads of one process that block", () => {
  let ids: readonly [process: string, first: string, second: string] = ["", "", ""];

  beforeAll(async () => {
    await run(
      "load read 2 /proc/lp_busy >/dev/null 2>&1 & sleep 1; kgr load /p/lp_block.ko --no-wait; sleep 1.5",
    );
    const pid = (await run("pidof load")).stdout.trim();
    const threads = (await run(`grep -l lp_busy_sleep /proc/${pid}/task/*/stack`)).stdout;
    const [first = "", second = ""] = [...threads.matchAll(/task\/(\d+)/g)].map((match) => match[1] ?? "");
    ids = [pid, first, second];
  });
  afterAll(async () => {
    await run("echo 1 >/proc/lp_busy; kgr wait; killall load; kgr unload lp_block");
  });

  const attributes =
    "lp_block\n    active: 1\n    RPM: (none)\n    CVE: CVE-2026-0001\n    bug fixes and enhancements: (none)\n";
  const stack = [
    "lp_busy_sleep+AT [lp_busy]",
    "lp_busy_read+AT [lp_busy]",
    "proc_reg_read+AT",
    "vfs_read+AT",
    "ksys_read+AT",
    "do_syscall_64+AT",
    "entry_SYSCALL_64_after_hwframe+AT",
  ];
  const why = "sleeps in lp_busy_sleep for TIME, deaf to signals";
  const explained = (thread: string): string =>
    [
      `    thread ${thread} load: ${why}`,
      "        free what it waits for (a disk, a server), or turn back with: kgr disable lp_block",
      ...stack.map((at) => `        ${at}`),
      "",
    ].join("\n");
  const command = "load read 2 /proc/lp_busy";
  const costs = (program: string): string =>
    `${program}: lp_block is applying, 2 tasks left. Forced, each of these counts as moved although it is not:
     it may go on in the old functions while others run the new ones, and where both must not
     meet, data can be damaged or the machine can fail, now or later;
     what this takes out of force stays loaded until the machine starts anew.
`;
  const nobodyToAsk = (program: string): string =>
    `${costs(program)}${program}: cannot force lp_block: nobody to ask, this is no terminal\n` +
    "     if you accept what it costs, type: kgr force --yes\n[2]\n";
  const lines = (...parts: readonly string[]): string => parts.map((part) => `${part}\n`).join("");

  const rows: readonly Row[] = [
    ["status", "in_progress\n"],
    ["check", "[1]\n"],
    ["patches", "lp_block\n"],
    ["-v patches", attributes],
    ["-v -v patches", `${attributes}    functions: lp_busy:lp_busy_sleep\n`],
  ];
  const ofKgr: readonly Row[] = [
    ["blocking", lines("PID")],
    ["-v blocking", lines(`PID ${command}`)],
    ["-v -v blocking", `PID ${command}\n${explained("T1")}${explained("T2")}`],
  ];
  const ofKlp: readonly Row[] = [
    ["blocking", lines("T1", "T2")],
    ["-v blocking", lines(`T1 ${command}`, `T2 ${command}`)],
    ["-v -v blocking", `T1 ${command}\n${explained("T1")}T2 ${command}\n${explained("T2")}`],
  ];
  const both = (program: string): readonly Row[] => [
    ["blocking_threads", lines("PID T1", "PID T2")],
    ["-v blocking_threads", lines(`PID T1 ${command}`, `PID T2 ${command}`)],
    ["-v -v blocking_threads", `PID T1 ${command}\n${explained("T1")}PID T2 ${command}\n${explained("T2")}`],
    ["poke --dry-run", lines(`PID ${command}: cannot be woken: ${why}`)],
    ["poke", lines(`PID ${command}: cannot be woken: ${why}`)],
    ["force --dry-run", `lp_block: would be forced, 2 tasks left\n${costs(program)}`],
    ["force", nobodyToAsk(program)],
  ];

  /** With words in the place of its numbers. */
  function named(text: string): string {
    const [pid, first, second] = ids;
    const names = new Map([
      [pid, "PID"],
      [first, "T1"],
      [second, "T2"],
    ]);
    return text.replaceAll(/\b\d+\b/g, (number) => names.get(number) ?? number);
  }

  const all = (program: string, own: readonly Row[]): readonly Row[] =>
    [...rows, ...own, ...both(program)].map(([words, answer]) => [`${program} ${words}`, answer]);

  test.each<Row>([...all("kgr", ofKgr), ...all("klp", ofKlp)])("%s", async (typed, answer) => {
    expect(named(await said(typed))).toBe(answer);
  });

  const onlyRoot =
    "kgr: cannot list blocking processes: only root may see where the tasks of others stand\n" +
    "     type the command after: sudo\n[77]\n";
  test.each<Row>([
    ...rows.map(([words, answer]): Row => [`kgr ${words}`, answer]),
    ...["blocking", "-v -v blocking", "blocking_threads"].map((words): Row => [`kgr ${words}`, onlyRoot]),
    ["kgr poke", refused("kgr")],
    ["kgr force --yes", refused("kgr")],
  ])("%s, as an ordinary user", async (typed, answer) => {
    expect(await said(asNobody(typed))).toBe(answer);
  });

  test("force --yes, and then all is ready", async () => {
    const { stdout, stderr } = await run("klp force --yes");
    expect({ stdout, costs: stderr.startsWith(costs("klp")) }).toEqual({
      stdout: "lp_block: ready, forced\n",
      costs: true,
    });
    expect(await said("kgr status; klp check; klp -v blocking")).toBe(
      "ready\nno threads with klp_in_progress set\n",
    );
  });
});
