/**
 * How fast `kgr status` starts and how much memory it takes, beside the two programs everyone knows. The tool
 * runs as it would on a patched machine: /sys/kernel is a directory tree with one live patch in it, in a mount
 * namespace of our own.
 *
 * A run's time is a 200th of a shell loop of 200 runs, so what it costs to start this bench's own children does
 * not count; the shell's fork does, and is the first row. Memory is the highest resident size (VmHWM) of a
 * process of that program while it waits.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { buildKgr } from "@kgraft/host/build";

const runs = 200;

interface Row {
  readonly name: string;
  readonly command: string;
  /** The same program, waiting; null where there is no sense in that. */
  readonly waiting: string | null;
}

const binary = await buildKgr({ signal: new AbortController().signal });
const rows: readonly Row[] = [
  { name: "(fork alone)", command: "(:)", waiting: null },
  { name: "kgr status", command: `${binary} status`, waiting: `exec ${binary} wait` },
  { name: "bash -c true", command: "bash -c true", waiting: "exec bash -c 'read x'" },
  {
    name: "node -e 0",
    command: `${process.execPath} -e 0`,
    waiting: `exec ${process.execPath} -e 'setTimeout(() => {}, 30000)'`,
  },
];

const root = mkdtempSync(path.join(tmpdir(), "kgr-bench-"));
try {
  const patch = path.join(root, "livepatch/lp_bench");
  mkdirSync(patch, { recursive: true });
  writeFileSync(path.join(patch, "enabled"), "1\n");
  const results: { name: string; timeMs: number; memoryKb: number | null }[] = [];
  for (const row of rows) {
    writeFileSync(path.join(patch, "transition"), "0\n");
    const timeMs = timePerRun(row.command);
    writeFileSync(path.join(patch, "transition"), "1\n"); // kgr wait has something to wait for
    results.push({
      name: row.name,
      timeMs,
      memoryKb: row.waiting === null ? null : await memoryOf(row.waiting),
    });
  }
  print(results);
} finally {
  rmSync(root, { recursive: true });
}

function inNamespace(script: string): readonly string[] {
  return ["-rm", "sh", "-c", `mount --bind ${root} /sys/kernel && ${script}`];
}

function timePerRun(command: string): number {
  const loop = `s=$(date +%s%N); i=0; while [ $i -lt ${runs} ]; do ${command} >/dev/null; i=$((i+1)); done; echo $(($(date +%s%N)-s))`;
  const times = [1, 2, 3].map(() => Number(execFileSync("unshare", inNamespace(loop), { encoding: "utf8" })));
  return Math.min(...times) / runs / 1e6;
}

async function memoryOf(command: string): Promise<number> {
  const child = spawn("unshare", inNamespace(command), { stdio: ["pipe", "ignore", "ignore"] });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  child.kill("SIGKILL");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
}

function print(results: readonly { name: string; timeMs: number; memoryKb: number | null }[]): void {
  const kgr = results.find(({ name }) => name === "kgr status")!; // the second row
  console.log(
    `${"".padEnd(14)}${"start, ms".padStart(12)}${"ratio".padStart(8)}${"memory, kB".padStart(12)}${"ratio".padStart(8)}`,
  );
  for (const { name, timeMs, memoryKb } of results) {
    const memory = memoryKb === null ? ["", ""] : [String(memoryKb), (memoryKb / kgr.memoryKb!).toFixed(2)];
    console.log(
      name.padEnd(14) +
        timeMs.toFixed(2).padStart(12) +
        (timeMs / kgr.timeMs).toFixed(2).padStart(8) +
        memory[0]!.padStart(12) +
        memory[1]!.padStart(8),
    );
  }
}
