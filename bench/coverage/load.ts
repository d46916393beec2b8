/** Live patches tried in guests: each loaded under load, in force, reverted and unloaded; many for each boot. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { findSection, sectionData } from "@kgraft/elf";
import { type KernelTree, withElfFile } from "@kgraft/kernel";
import { bootGuest, findOops, type Guest } from "@kgraft/lab";

export interface Candidate {
  /** KBUILD_MODNAME of the live patch. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What it patches: `vmlinux`, and files of modules below the kernel's module folder. */
  readonly modules: readonly string[];
}

export interface Trial {
  readonly name: string;
  /** A stalled transition harms nothing: a task sleeps in the original for good, and the patch never gets in force. */
  readonly outcome: "reverted" | "stalled" | "failed";
  /** Whether functions were redirected while it was in force; a module that no guest can load has none. */
  readonly exercised: boolean;
  /** What went wrong. */
  readonly detail: string;
}

/** What goes on in the guest meanwhile: processes come and go, files are written and read, and memory is used. */
const load = [
  "while :; do",
  "  cat /proc/*/status /proc/*/maps >/dev/null 2>&1",
  "  dd if=/dev/urandom of=/tmp/data bs=64k count=8 2>/dev/null; sha256sum /tmp/data >/dev/null",
  "  find /sys/kernel -name 'e*' >/dev/null 2>&1; sync; sleep 0.1",
  "done",
].join("\n");

/** Who holds the transition up, and where: tasks that still have the state that they are to leave. */
const blocking = [
  "blocking() {",
  "  for task in /proc/[0-9]*/task/[0-9]*; do",
  '    [ "$(cat $task/patch_state)" = "$1" ] && echo "$(cat $task/comm) in $(tr "\\n" " " <$task/stack)"',
  "  done 2>/dev/null",
  "}",
].join("\n");

/** @param left the state that tasks are to leave */
const waitFor = (condition: string, left: 0 | 1): string =>
  `n=0; while ${condition}; do n=$((n+1)); [ $n -lt 900 ] || { echo "stalled: $(blocking ${left})"; exit 9; }; sleep 0.1; done`;

/** A patch's whole life; prints how many functions were redirected. */
function life(name: string): string {
  const directory = `/sys/kernel/livepatch/${name}`;
  return [
    blocking,
    `insmod /root/${name}.ko || exit 1`,
    waitFor(`[ "$(cat ${directory}/transition 2>/dev/null)" = 1 ]`, 0),
    `[ "$(cat ${directory}/enabled)" = 1 ] || exit 2`,
    "grep -c . /sys/kernel/tracing/enabled_functions",
    `echo 0 >${directory}/enabled || exit 3`,
    waitFor(`[ -e ${directory} ]`, 1),
    `rmmod ${name} || exit 4`,
    "[ ! -s /sys/kernel/tracing/enabled_functions ] || exit 5",
  ].join("\n");
}

const batchSize = 48;

/** Tries all, `guests` at a time; a guest that a patch breaks is replaced for those that follow. */
export async function tryAll(
  kernel: KernelTree,
  candidates: readonly Candidate[],
  { guests, onTrial }: { readonly guests: number; readonly onTrial: (trial: Trial) => void },
): Promise<void> {
  const waiting = [...candidates];
  const worker = async (): Promise<void> => {
    while (waiting.length > 0) {
      let batch = waiting.splice(0, batchSize);
      while (batch.length > 0) {
        const tried = await tryBatch(kernel, batch, onTrial);
        batch = batch.slice(tried);
      }
    }
  };
  await Promise.all(Array.from({ length: guests }, worker));
}

/** How many were tried before the guest had to be given up. */
async function tryBatch(
  kernel: KernelTree,
  batch: readonly Candidate[],
  onTrial: (trial: Trial) => void,
): Promise<number> {
  const targets = modulesInOrder(
    kernel,
    batch.flatMap(({ modules }) => modules),
  );
  await using guest = await bootGuest({
    kernel,
    memoryMib: 2048,
    timeoutMs: 3_600_000,
    files: [
      ...batch.map(({ name, bytes }) => ({ path: `/root/${name}.ko`, source: bytes })),
      ...targets.map((path) => ({
        path: `/targets/${fileName(path)}`,
        source: join(kernel.modulesDirectory, path),
      })),
    ],
  });
  for (const path of targets)
    await guest.run(`insmod /targets/${fileName(path)} 2>/dev/null`, { timeoutMs: 60_000 });
  guest.start(load);
  for (const [index, { name }] of batch.entries()) {
    const before = guest.consoleText.length;
    const trial = await tryOne(guest, name, before);
    onTrial(trial);
    if (trial.outcome !== "reverted") return index + 1;
  }
  return batch.length;
}

async function tryOne(guest: Guest, name: string, before: number): Promise<Trial> {
  const failed = (detail: string): Trial => ({ name, outcome: "failed", exercised: false, detail });
  try {
    const { status, stdout, stderr } = await guest.run(life(name), { timeoutMs: 240_000 });
    const said = guest.consoleText.slice(before);
    const oops = findOops(said);
    const warning = /^.*(?:WARNING|BUG|possible .* deadlock|Oops|invalid|failed to).*$/m.exec(said)?.[0];
    if (oops !== null || warning !== undefined) return failed(oops?.title ?? warning ?? "");
    if (status === 9) return { name, outcome: "stalled", exercised: false, detail: stdout.trim() };
    if (status !== 0) return failed(`status ${status}: ${stdout} ${stderr}`.trim());
    return { name, outcome: "reverted", exercised: Number(stdout.trim()) > 0, detail: "" };
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

function fileName(path: string): string {
  return path.split("/").at(-1) ?? path;
}

/** Files of modules and of what these need, in the order of loading. */
function modulesInOrder(kernel: KernelTree, wanted: readonly string[]): readonly string[] {
  const paths = new Map(kernelModules(kernel).map((path) => [moduleName(path), path]));
  const ordered = new Set<string>();
  const add = (path: string): void => {
    if (ordered.has(path)) return;
    for (const name of dependenciesOf(join(kernel.modulesDirectory, path))) {
      const other = paths.get(name);
      if (other !== undefined) add(other);
    }
    ordered.add(path);
  };
  for (const path of wanted) add(path);
  return [...ordered];
}

const listed = new Map<string, readonly string[]>();

function kernelModules({ modulesDirectory }: KernelTree): readonly string[] {
  const known =
    listed.get(modulesDirectory) ??
    readdirSync(modulesDirectory, { recursive: true })
      .map(String)
      .filter((path) => path.endsWith(".ko"));
  listed.set(modulesDirectory, known);
  return known;
}

function moduleName(path: string): string {
  return fileName(path).replace(/\.ko$/, "").replaceAll("-", "_");
}

function dependenciesOf(path: string): string[] {
  return withElfFile(path, path, (file) => {
    const section = findSection(file, ".modinfo");
    const entries =
      section === undefined ? [] : new TextDecoder().decode(sectionData(file, section)).split("\0");
    const depends = entries.find((entry) => entry.startsWith("depends="))?.slice("depends=".length) ?? "";
    return depends
      .split(",")
      .filter((name) => name !== "")
      .map((name) => name.replaceAll("-", "_"));
  });
}
