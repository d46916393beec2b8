/**
 * Runs an example: makes the source change, builds the live patch, boots the kernel, and plays the scenario in the
 * guest, showing each command with what it prints.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build, ChangeRefused, type LivePatch } from "@kgraft/build";
import { fetchKernel, type KernelRequest, type KernelTree } from "@kgraft/kernel";
import { bootGuest, type Guest } from "@kgraft/lab";

/** One text of the kernel's source and what stands there instead. The rest of the source stays the distribution's. */
export interface Edit {
  readonly path: string;
  readonly find: string;
  readonly replace: string;
}

export interface Example {
  /** The live patches, by name, each with the change that it is made of. */
  readonly patches: Readonly<Record<string, readonly Edit[]>>;
  /** Changes that cannot be carried, each with a reason that is given. */
  readonly refused?: Readonly<Record<string, { readonly edits: readonly Edit[]; readonly because: RegExp }>>;
  /** Kernels that it is played on; one of Debian 12 if not given. */
  readonly kernels?: readonly KernelRequest[];
  /** What is done in the guest, in this order. */
  readonly scenario: readonly Step[];
  /** Modules that the guest has loaded. */
  readonly modules?: readonly string[];
}

export type Step =
  | { readonly load: string }
  | { readonly revert: string }
  /** A command of the guest's shell, and what it must print. */
  | { readonly run: string; readonly prints: string | RegExp };

const debian12: KernelRequest = { release: "6.1.0-55-cloud-amd64" };
const work = { signal: new AbortController().signal, onProgress: (): void => {} };

/**
 * Plays the example on each of its kernels.
 *
 * @throws Error where a step does not do what it must
 */
export async function play(example: Example, print: (line: string) => void): Promise<void> {
  for (const request of example.kernels ?? [debian12]) {
    const kernel = await fetchKernel(request, work);
    if (example.kernels !== undefined) print(`== ${kernel.release}, ${kernel.compiler.version}`);
    const directory = await mkdtemp(join(tmpdir(), "kgraft-example-"));
    try {
      await playOn(kernel, directory, example, print);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

async function playOn(
  kernel: KernelTree,
  directory: string,
  { patches, refused = {}, scenario, modules = [] }: Example,
  print: (line: string) => void,
): Promise<void> {
  const buildOf = async (name: string, edits: readonly Edit[]): Promise<LivePatch> => {
    const text = await difference(kernel, edits, join(directory, "source"));
    return build({ kernel, name, patches: [{ name: `${name}.patch`, text }], directory }, work);
  };
  const files: { path: string; source: string }[] = [];
  for (const [name, edits] of Object.entries(patches)) {
    const patch = await buildOf(name, edits);
    for (const line of describe(patch)) print(line);
    files.push({ path: `/root/${name}.ko`, source: patch.modulePath });
  }
  for (const [name, { edits, because }] of Object.entries(refused)) {
    const reasons = await reasonsOf(buildOf(name, edits));
    print(`${name} is refused:`);
    for (const { message, hint } of reasons) print(`  ${message}${hint === undefined ? "" : `: ${hint}`}`);
    if (!reasons.some(({ message }) => because.test(message))) throw new Error(`not because of ${because}`);
  }
  await using guest = await bootGuest({ kernel, files, modules, timeoutMs: 300_000, signal: work.signal });
  for (const step of scenario) await take(guest, step, print);
  await guest.shutdown();
}

async function reasonsOf(attempt: Promise<unknown>): Promise<ChangeRefused["reasons"]> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof ChangeRefused) return error.reasons;
    throw error;
  }
  throw new Error("carried, though no live patch can");
}

function describe({ manifest, added, units, warnings }: LivePatch): string[] {
  const names = manifest.functions.map(({ name, object }) => `${name} (${object})`);
  return [
    ...(units.length === 1 ? [] : [`${units.length} units read what changed and are compared`]),
    `${manifest.name}.ko replaces ${names.join(", ") || "no function"}`,
    ...(added.length === 0 ? [] : [`  and brings ${added.join(", ")}`]),
    ...new Set(warnings.map(({ message }) => `  ${message}`)),
  ];
}

/** Edits copies of the files, and compares: what an author does with an editor and diff(1). */
async function difference(
  { sourceDirectory }: KernelTree,
  edits: readonly Edit[],
  scratch: string,
): Promise<string> {
  await rm(scratch, { recursive: true, force: true });
  for (const [path, ofPath] of Map.groupBy(edits, (edit) => edit.path)) {
    const original = await readFile(join(sourceDirectory, path), "utf8");
    let changed = original;
    for (const { find, replace } of ofPath) {
      if (!changed.includes(find)) throw new Error(`cannot edit ${path}: it has no ${JSON.stringify(find)}`);
      changed = changed.replace(find, () => replace);
    }
    for (const [side, text] of Object.entries({ a: original, b: changed })) {
      await mkdir(dirname(join(scratch, side, path)), { recursive: true });
      await writeFile(join(scratch, side, path), text);
    }
  }
  return spawnSync("diff", ["-rup", "a", "b"], { cwd: scratch, encoding: "utf8" }).stdout;
}

async function take(guest: Guest, step: Step, print: (line: string) => void): Promise<void> {
  if ("load" in step) return settle(guest, `insmod /root/${step.load}.ko`, step.load, print);
  if ("revert" in step) {
    const { revert: name } = step;
    return settle(guest, `echo 0 >/sys/kernel/livepatch/${name}/enabled`, name, print, `; rmmod ${name}`);
  }
  print(`guest# ${step.run}`);
  const said = await output(guest, step.run);
  if (said !== "") for (const line of said.split("\n")) print(`       ${line}`);
  const isRight = typeof step.prints === "string" ? said === step.prints : step.prints.test(said);
  if (!isRight) throw new Error(`${step.run} printed ${JSON.stringify(said)}, wanted ${String(step.prints)}`);
}

/** Begins a transition and waits for its end. */
async function settle(
  guest: Guest,
  begin: string,
  name: string,
  print: (line: string) => void,
  end = "",
): Promise<void> {
  print(`guest# ${begin}${end}`);
  const moving = `[ "$(cat /sys/kernel/livepatch/${name}/transition 2>/dev/null)" = 1 ]`;
  await output(guest, `${begin} || exit 1; while ${moving}; do sleep 0.1; done${end}`);
}

async function output(guest: Guest, command: string): Promise<string> {
  const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 60_000 });
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr.trim()}`);
  return stdout.trim();
}
