/**
 * A guest: one stock kernel, running, and commands in it.
 *
 * Everything that can end a guest comes together in one place: its life is over when QEMU's process is, and why is
 * what was known by then (we killed it, its time was up, the kernel said that it panicked, it powered off), else it
 * was lost. Every command races against that end, so none can wait for a machine that is gone.
 */
import { readFile } from "node:fs/promises";
import { readConsole, type ConsoleLog } from "./console.ts";
import { GuestCommandTimedOut, GuestLost, GuestPanicked, GuestSetupFailed, GuestTimedOut } from "./errors.ts";
import { makeDisk } from "./disk.ts";
import { makeFirmware } from "./firmware.ts";
import { buildInitramfs } from "./initramfs.ts";
import type { KernelOops } from "./oops.ts";
import type { GuestOptions, OnOutput } from "./options.ts";
import { type Machine, startQemu } from "./qemu.ts";
import { findQemu } from "./requirements.ts";
import { type Share, startShare } from "./share.ts";
import { type CommandResult, openSlots, type Slots, type Submitted } from "./slots.ts";
import { unnamedFile, writeAll } from "./unnamed-file.ts";

/** How a guest ended. A restart counts as powering off. */
export type GuestEnd =
  | { readonly kind: "powered-off" }
  | { readonly kind: "panicked"; readonly message: string }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "timed-out"; readonly timeoutMs: number }
  | { readonly kind: "killed" };

/** A command that runs in the guest while others do. */
export interface GuestJob {
  /** What it wrote so far. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  /** Its result; rejects as `run` does. */
  readonly result: Promise<CommandResult>;
  /** Sends SIGTERM to all of its session, SIGKILL after two seconds, and gives its result. */
  stop(): Promise<CommandResult>;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly onOutput?: OnOutput;
}

/** A running guest. Disposing of it kills it. */
export interface Guest extends AsyncDisposable {
  /**
   * Runs a command by the guest's shell and waits until it ended and closed its output.
   *
   * @throws GuestCommandTimedOut (the command is killed, the guest lives on), GuestPanicked, GuestLost, GuestTimedOut
   */
  run(command: string, options?: RunOptions): Promise<CommandResult>;
  /** Starts a command and leaves it running. */
  start(command: string, options?: { readonly onOutput?: OnOutput }): GuestJob;
  /** What the kernel logged since the guest was ready, and what it logged aloud before. */
  readonly consoleText: string;
  /** The first fault the kernel reports; stays pending where there is none. Race it with a command. */
  readonly oops: Promise<KernelOops>;
  readonly ended: Promise<GuestEnd>;
  /** The number of the QEMU process. */
  readonly processId: number | undefined;
  /** Powers the machine off, without waiting for a hanging file system; kills it where it does not go. */
  shutdown(): Promise<GuestEnd>;
  kill(): Promise<void>;
}

const panicTimeMs = 3000;
const stopTimeMs = 10_000;
const tailLines = 15;

/** The life of one machine, from start to end. */
interface Life {
  readonly console: ConsoleLog;
  readonly ended: Promise<GuestEnd>;
  /** Rejects with the right error once the guest has ended. */
  readonly failure: Promise<never>;
  readonly kill: () => Promise<void>;
}

function endError(end: GuestEnd, consoleText: string): Error {
  const log = consoleText.trimEnd();
  const panic = log.indexOf("Kernel panic - not syncing: ");
  const lines =
    panic < 0 ? log.split("\n").slice(-tailLines) : log.slice(panic).split("\n").slice(0, tailLines);
  const tail = log === "" ? "its console is empty" : `its console ended with:\n${lines.join("\n")}`;
  switch (end.kind) {
    case "panicked":
      return new GuestPanicked(`the guest's kernel panicked: ${end.message}; ${tail}`);
    case "timed-out":
      return new GuestTimedOut(
        `the guest did not end: its time limit of ${end.timeoutMs} ms is over; ${tail}`,
      );
    case "lost":
      return new GuestLost(`the guest was lost: ${end.reason}; ${tail}`);
    case "powered-off":
      return new GuestLost(`the guest powered off: wanted it running; ${tail}`);
    case "killed":
      return new GuestLost("the guest was killed: wanted it running");
  }
}

/** @param share serves the guest, and ends with it: the guest is gone when both are */
function live(machine: Machine, options: GuestOptions, share: Share | undefined): Life {
  let known: GuestEnd | undefined;
  const end = (why: GuestEnd): void => {
    known ??= why;
    machine.kill();
  };
  const console = readConsole(machine.console, {
    onLine: options.onConsole,
    // The kernel restarts by itself after a panic; where even that hangs, it is ended here.
    onPanic: () => setTimeout(() => machine.kill(), panicTimeMs).unref(),
  });
  const timer = setTimeout(() => end({ kind: "timed-out", timeoutMs: options.timeoutMs }), options.timeoutMs);
  const abort = (): void => end({ kind: "killed" });
  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted) abort();

  const ended = machine.ended.then(async ({ code, signal, stderr }): Promise<GuestEnd> => {
    await share?.stop();
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
    if (console.panic !== undefined) return { kind: "panicked", message: console.panic };
    if (known !== undefined) return known;
    if (code === 0) return { kind: "powered-off" };
    const how = signal === null ? `QEMU exited with ${code}` : `QEMU was ended by ${signal}`;
    return { kind: "lost", reason: stderr === "" ? how : `${how} and said: ${stderr}` };
  });
  const failure = ended.then((why): never => {
    options.signal?.throwIfAborted();
    throw endError(why, console.text);
  });
  failure.catch(() => {}); // Told to whoever waits for a command.
  return {
    console,
    ended,
    failure,
    async kill() {
      end({ kind: "killed" });
      await ended;
    },
  };
}

/** Sends a signal to the whole session of a command, as soon as it is known. */
function signalScript(token: string, name: "TERM" | "KILL"): string {
  const file = `/run/lab/${token}.pid`;
  return `for i in 1 2 3 4 5; do [ -s ${file} ] && kill -${name} -$(cat ${file}) && break; sleep 0.2; done 2>/dev/null`;
}

/** Runs the host's own commands in the slot that is kept for them, one after the other. */
function ownCommands(slots: Slots): (script: string) => Promise<CommandResult> {
  let last: Promise<unknown> = Promise.resolve();
  return (script) => {
    const result = last.then(() => slots.submit(script, undefined, true).result);
    last = result;
    return result;
  };
}

function commandsOf(
  life: Life,
  slots: Slots,
  own: (script: string) => Promise<CommandResult>,
): Pick<Guest, "run" | "start"> {
  const race = (submitted: Submitted): Promise<CommandResult> => {
    const result = Promise.race([submitted.result, life.failure]);
    result.catch(() => {}); // A job that nobody waits for may end in any way.
    return result;
  };
  return {
    async run(command, { timeoutMs, onOutput } = {}) {
      const submitted = slots.submit(command, onOutput);
      const result = race(submitted);
      if (timeoutMs === undefined) return result;
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          void own(signalScript(submitted.token, "KILL"));
          reject(
            new GuestCommandTimedOut(
              `cannot finish command in guest: it ran ${timeoutMs} ms, wanted less: ${command}`,
            ),
          );
        }, timeoutMs);
      });
      return Promise.race([result, limit]).finally(() => clearTimeout(timer));
    },
    start(command, { onOutput } = {}) {
      const submitted = slots.submit(command, onOutput);
      const result = race(submitted);
      return {
        output: submitted.output,
        result,
        stop() {
          void own(signalScript(submitted.token, "TERM"));
          const timer = setTimeout(() => void own(signalScript(submitted.token, "KILL")), 2000);
          return result.finally(() => clearTimeout(timer));
        },
      };
    },
  };
}

const powerOff = "/run/lab/bin/poweroff -nf";

/** The first command: turns the console on and asks what went wrong until now. */
const readyCommand = "dmesg -n 8; cat /run/lab/failed";

/**
 * Boots a kernel in QEMU and gives the guest once it takes commands.
 *
 * The guest has no network. It holds no name on this machine: its files are unnamed, and its process goes with ours.
 *
 * @throws QemuMissing, BusyboxMissing, KernelModuleMissing, GuestFileFailed, ShareFailed before the start;
 * GuestSetupFailed, GuestPanicked, GuestLost, GuestTimedOut during it; the signal's reason on abort
 */
export async function bootGuest(options: GuestOptions): Promise<Guest> {
  options.signal?.throwIfAborted();
  // 1. What it runs on and from.
  const program = await findQemu();
  const { initrd } = options.root ?? {};
  const archive = initrd === undefined ? await buildInitramfs(options) : await readFile(initrd);
  using initramfs = unnamedFile((descriptor) => writeAll(descriptor, archive));
  using scratch = await makeDisk(options);
  const { trustedCertificates: trusted = [] } = options;
  const firmware = trusted.length === 0 ? undefined : await makeFirmware(trusted);
  using variables = firmware && unnamedFile((descriptor) => writeAll(descriptor, firmware.variables));
  // 2. The daemon behind the shared directory.
  const share = options.share === undefined ? undefined : await startShare(options.share, options.signal);
  let life: Life | undefined;
  try {
    // 3. The machine.
    options.signal?.throwIfAborted();
    const machine = startQemu(program, options, {
      initramfs,
      disk: options.root?.disk ?? scratch,
      share: share?.connection,
      firmware,
      variables,
    });
    share?.connection.destroy();
    life = live(machine, options, share);
    const { console, ended, kill } = life;
    const slots = openSlots(machine.ports);
    // 4. The first answer.
    const own = ownCommands(slots);
    const ready = await Promise.race([own(readyCommand), life.failure]);
    if (ready.stdout !== "") throw new GuestSetupFailed(`cannot set up guest: ${ready.stdout.trim()}`);
    return {
      ...commandsOf(life, slots, own),
      get consoleText(): string {
        return console.text;
      },
      oops: console.oops,
      ended,
      processId: machine.processId,
      async shutdown() {
        // What a disk that outlives the guest has not got yet is written first.
        void own(options.root === undefined ? powerOff : `timeout 8 sync; ${powerOff}`);
        const timer = setTimeout(() => void kill(), stopTimeMs);
        return ended.finally(() => clearTimeout(timer));
      },
      kill,
      [Symbol.asyncDispose]: kill,
    };
  } catch (error) {
    share?.connection.destroy();
    await life?.kill();
    await share?.stop();
    throw error;
  }
}
