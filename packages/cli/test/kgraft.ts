/** Running ./kgraft as a user does, and knowing what it leaves behind. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { type KernelTree, openKernel } from "@kgraft/kernel";

export const release = "6.1.0-55-cloud-amd64";
const program = resolve(import.meta.dirname, "../../../kgraft");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** As Ctrl-C in a terminal does: to the whole group. */
  readonly interrupt: () => void;
  /** Numbers of all processes that came of it and live. */
  readonly processes: () => Promise<readonly number[]>;
}

/** Every process inherits this word of the environment, whatever group or session it makes for itself. */
const markName = "KGRAFT_TEST_RUN";

export function startKgraft(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const mark = randomUUID();
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env, [markName]: mark },
  });
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (data: Buffer) => void (text.stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => void (text.stderr += data.toString()));
  return {
    child,
    finished: new Promise((settle) => child.on("close", (code) => settle({ code, ...text }))),
    interrupt: () => void process.kill(-child.pid!, "SIGINT"), // started above
    processes: () => marked(`${markName}=${mark}`),
  };
}

export function runKgraft(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return startKgraft(args, env).finished;
}

async function marked(word: string): Promise<readonly number[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      const environment = await readFile(`/proc/${name}/environ`, "utf8").catch(() => "");
      return environment.split("\0").includes(word) ? [Number(name)] : [];
    }),
  );
  return found.flat();
}

/** A directory for one test, gone afterwards. */
export async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "kgraft-cli-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A PATH with all of this one's programs but these. */
export async function programsWithout(directory: string, names: RegExp): Promise<string> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const programs = await readdir(folder).catch(() => []);
    for (const name of programs.filter((one) => !names.test(one))) {
      // The first of a name is the one that counts.
      await symlink(join(folder, name), join(directory, name)).catch(() => {});
    }
  }
  return directory;
}

/** Writes a diff that does this to a file of the kernel's source. */
export async function writePatch(
  directory: string,
  file: string,
  edit: (text: string) => string,
): Promise<string> {
  const tree: KernelTree = await openKernel(release);
  const before = await readFile(join(tree.sourceDirectory, file), "utf8");
  for (const [side, text] of [
    ["a", before],
    ["b", edit(before)],
  ] as const) {
    await mkdir(dirname(join(directory, side, file)), { recursive: true });
    await writeFile(join(directory, side, file), text);
  }
  const diff = promisify(execFile)("diff", ["-u", join("a", file), join("b", file)], { cwd: directory });
  const text = await diff.then(
    () => "",
    (error: { readonly stdout: string }) => error.stdout,
  );
  const path = join(directory, "test.patch");
  await writeFile(path, text);
  return path;
}
