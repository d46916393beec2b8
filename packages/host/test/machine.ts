/**
 * A machine for tests: a real directory tree that is laid out as /sys and /proc are, and the System over it on
 * Node. Programs are real ones too: scripts under the tree's usr/sbin, with the tree's place in $ROOT. Only time
 * is not: it passes by waiting, so that a test of a minute's wait takes none.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { main, type RunOptions, type Stream, type System, SystemError } from "../src/mod.ts";

export interface Machine {
  readonly system: System;
  readonly root: string;
  /** Writes files, by absolute path on the machine; scripts (`#!`) can be run. */
  readonly put: (files: Readonly<Record<string, string | Uint8Array>>) => void;
  readonly read: (file: string) => string;
  readonly remove: (file: string) => void;
  readonly interrupt: () => void;
  /** Runs kgr. */
  readonly kgr: (...argv: string[]) => Promise<{ status: number; out: string; err: string }>;
  /** Runs it by its other name. */
  readonly klp: (...argv: string[]) => Promise<{ status: number; out: string; err: string }>;
  readonly environment: Record<string, string>;
  /** What the machine's clock says, in milliseconds since 1970, beside the time that passes by waiting. */
  epochMs: number;
  /** Signals that were sent, such as `STOP 20`. */
  readonly signals: string[];
  /** What is typed on the terminal; null for none. */
  answer: string | null;
  /** Called before each wait, with how many there were. */
  onSleep: ((count: number) => void) | null;
  columns: number | null;
  /** How long programs take by the machine's clock. */
  programMs: number;
}

/** A kernel with live patching and nothing loaded, root at the keyboard. */
export const idleMachine: Readonly<Record<string, string>> = {
  "/proc/sys/kernel/osrelease": "6.1.0-55-cloud-amd64\n",
  "/proc/self/status": "Name:\tkgr\nUid:\t0\t0\t0\t0\n",
  "/proc/modules": "ext4 983040 1 - Live 0x0000000000000000\n",
  "/sys/kernel/livepatch/.keep": "",
  "/usr/bin/sha256sum": '#!/bin/sh\nexec sha256sum "$ROOT$1"\n',
};

/** Files of a live patch in the kernel. */
export function livePatchFiles(name: string, enabled: 0 | 1, transition: 0 | 1): Record<string, string> {
  const folder = `/sys/kernel/livepatch/${name}`;
  return {
    [`${folder}/enabled`]: `${enabled}\n`,
    [`${folder}/transition`]: `${transition}\n`,
    [`${folder}/vmlinux/patched`]: "1\n",
    [`${folder}/vmlinux/cmdline_proc_show,1/.keep`]: "",
    [`/sys/module/${name}/refcnt`]: "1\n",
  };
}

/** A manifest for the machine's kernel. */
export function manifestText(changes: object = {}): string {
  return JSON.stringify({
    schema: "kgraft-manifest/1",
    name: "lp_demo",
    kernel: {
      release: "6.1.0-55-cloud-amd64",
      packageVersion: "6.1.192-1",
      architecture: "amd64",
      buildId: "abcdef0123456789",
    },
    module: { file: "lp_demo.ko", sha256: "0".repeat(64), sizeBytes: 1 },
    fixes: [],
    functions: [],
    sources: [],
    compiler: "gcc",
    ...changes,
  });
}

/** Files of one thread. */
export function threadFiles(
  pid: number,
  tid: number,
  patchState: string,
  commandLine = "",
): Record<string, string> {
  return {
    [`/proc/${pid}/cmdline`]: commandLine,
    ...(tid === pid && { [`/proc/${pid}/patch_state`]: `${patchState}\n` }),
    [`/proc/${pid}/task/${tid}/comm`]: `task${tid}\n`,
    [`/proc/${pid}/task/${tid}/patch_state`]: `${patchState}\n`,
    [`/proc/${pid}/task/${tid}/stack`]: "[<0>] do_sys_poll+0x1/0x2\n[<0>] do_syscall_64+0x3/0x4\n",
    [`/proc/${pid}/task/${tid}/stat`]: `${tid} (a (b) c) S 1 1 1 0 -1 ${commandLine === "" ? 0x20_0000 : 0} 0\n`,
  };
}

/** Makes a machine that goes when the test ends. */
export function makeMachine(files: Readonly<Record<string, string | Uint8Array>>): Machine {
  const root = mkdtempSync(path.join(tmpdir(), "kgr-machine-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const printed = { out: "", err: "" };
  let interrupted = false;
  let sleeps = 0;
  let clockMs = 0;
  const run = async (
    name: string,
    argv: readonly string[],
  ): Promise<{ status: number; out: string; err: string }> => {
    printed.out = "";
    printed.err = "";
    const status = await main(machine.system, argv, name);
    return { status, out: printed.out, err: printed.err };
  };
  const machine: Machine = {
    root,
    system: nodeSystem(root, printed, {
      interrupted: () => interrupted,
      columns: () => machine.columns,
      signal: (pid, name) => void machine.signals.push(`${name} ${pid}`),
      ask: (question) => ((printed.err += machine.answer === null ? "" : question), machine.answer),
      environment: (name) => machine.environment[name] ?? "",
      nowMs: () => clockMs,
      wait(onWait) {
        for (let elapsedMs = 1000; elapsedMs <= machine.programMs; elapsedMs += 1000) {
          clockMs += 1000;
          onWait?.(programPid, elapsedMs);
        }
      },
      epochMs: () => machine.epochMs + clockMs,
      sleep(durationMs) {
        machine.onSleep?.(++sleeps);
        clockMs += durationMs;
      },
    }),
    put(more) {
      for (const [file, content] of Object.entries(more)) {
        mkdirSync(path.dirname(root + file), { recursive: true });
        writeFileSync(root + file, content);
        if (typeof content === "string" && content.startsWith("#!")) {
          chmodSync(root + file, 0o755);
        }
      }
    },
    read: (file) => readFileSync(root + file, "utf8"),
    remove: (file) => rmSync(root + file, { recursive: true }),
    interrupt: () => void (interrupted = true),
    kgr: (...argv) => run("kgr", argv),
    klp: (...argv) => run("/usr/sbin/klp", argv),
    environment: {},
    epochMs: Date.UTC(2026, 10, 24, 14, 0, 0),
    signals: [],
    answer: null,
    onSleep: null,
    columns: null,
    programMs: 0,
  };
  machine.put(files);
  return machine;
}

interface Hooks {
  readonly interrupted: () => boolean;
  readonly columns: () => number | null;
  readonly signal: System["signal"];
  readonly ask: System["ask"];
  readonly environment: (name: string) => string;
  readonly nowMs: () => number;
  readonly epochMs: () => number;
  readonly sleep: (durationMs: number) => void;
  /** While a program runs. */
  readonly wait: (onWait: RunOptions["onWait"]) => void;
}

/** The number of each program that runs. */
export const programPid = 4711;

/** Small, so that lines are cut everywhere. */
const pieceBytes = 7;

function nodeSystem(root: string, printed: Record<Stream, string>, hooks: Hooks): System {
  return {
    readBytes(file, limitBytes) {
      const bytes = attempt("read", file, () => readFileSync(root + file));
      if (bytes.length > limitBytes) {
        throw new SystemError("read", file, "EFBIG");
      }
      return bytes;
    },
    readBytesAt: (file, offset, lengthBytes) =>
      attempt("read", file, () => {
        const fd = openSync(root + file, "r");
        try {
          const bytes = new Uint8Array(lengthBytes);
          return bytes.subarray(0, readSync(fd, bytes, 0, lengthBytes, offset));
        } finally {
          closeSync(fd);
        }
      }),
    readPieces(file, use) {
      const bytes = new Uint8Array(attempt("read", file, () => readFileSync(root + file)));
      for (let [at, end] = [0, 0]; end < bytes.length;) {
        end = Math.min(end + pieceBytes, bytes.length);
        at += use(bytes.subarray(at, end));
      }
    },
    readDirectory: (file) => attempt("list", file, () => readdirSync(root + file)),
    writeFile: (file, text) => attempt("write", file, () => writeFileSync(root + file, text, { flag: "r+" })),
    replaceFile(file, text) {
      attempt("write", file, () => writeFileSync(`${root}${file}.tmp`, text));
      attempt("rename", file, () => renameSync(`${root}${file}.tmp`, root + file));
    },
    writeThrough: (file, bytes) =>
      attempt("write", file, () => writeFileSync(root + file, bytes, { flush: true })),
    rename: (from, to) => attempt("rename", from, () => renameSync(root + from, root + to)),
    makeDirectory: (file) =>
      attempt("make directory", file, () => mkdirSync(root + file, { recursive: true })),
    removeFile: (file) => attempt("remove", file, () => rmSync(root + file, { force: true })),
    removeDirectory: (file) => attempt("remove", file, () => rmdirSync(root + file)),
    exists: (file) => existsSync(root + file),
    firstByte: (file) => attempt("read", file, () => readFileSync(root + file)[0] ?? null),
    linkCount: (file) => statSync(root + file, { throwIfNoEntry: false })?.nlink ?? 0,
    realPath: (file) =>
      attempt("find", file, () => realpathSync(root + file).slice(realpathSync(root).length)),
    // oxlint-disable-next-line typescript/require-await -- the interface waits
    async run([program, ...args], timeoutMs, { onWait } = {}) {
      hooks.wait(onWait);
      const result = spawnSync(root + program, args, {
        env: { PATH: process.env["PATH"] ?? "", ROOT: root },
        encoding: "utf8",
        timeout: timeoutMs,
        maxBuffer: 64 << 20,
      });
      const output = result.stdout + result.stderr;
      return result.status === null
        ? { kind: "timeout", output }
        : { kind: "exited", status: result.status, output };
    },
    kernelLog: () => kernelLog(root),
    newKernelMessages() {
      let seen = kernelLog(root).length;
      return () => {
        const messages = kernelLog(root).slice(seen);
        seen += messages.length;
        return messages;
      };
    },
    signal: hooks.signal,
    ask: hooks.ask,
    environment: hooks.environment,
    nowMs: hooks.nowMs,
    epochMs: hooks.epochMs,
    async sleep(durationMs) {
      hooks.sleep(durationMs);
      await new Promise((resolve) => setImmediate(resolve));
    },
    catchInterrupts: () => {},
    interrupted: hooks.interrupted,
    ignoreClosedPipes: () => {},
    terminalColumns: hooks.columns,
    print: (stream, text) => void (printed[stream] += text),
  };
}

function kernelLog(root: string): readonly string[] {
  const text = attempt("open", "/dev/kmsg", () => readFileSync(`${root}/dev/kmsg`, "utf8"));
  return text.split("\n").filter((line) => line !== "");
}

function attempt<Result>(action: string, file: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "EIO";
    throw new SystemError(action, file, code);
  }
}

/** Whether a file is there, for checks after a command. */
export function isThere(machine: Machine, file: string): boolean {
  return statSync(machine.root + file, { throwIfNoEntry: false }) !== undefined;
}
