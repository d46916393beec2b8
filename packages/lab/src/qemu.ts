import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";
import type { Firmware } from "./firmware.ts";
import { qemuArguments, slotCount, stdio } from "./machine.ts";
import type { GuestOptions, RootDisk } from "./options.ts";
import type { UnnamedFile } from "./unnamed-file.ts";

/** How the QEMU process ended. */
interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** A started QEMU. */
export interface Machine {
  readonly processId: number | undefined;
  readonly console: Readable;
  readonly ports: readonly Duplex[];
  /** Settles once the process is gone and its last output was read. */
  readonly ended: Promise<ProcessEnd>;
  kill(): void;
}

/** What the process gets besides its arguments; the caller may close all of it after the start. */
export interface Handed {
  readonly initramfs: UnnamedFile;
  readonly disk: RootDisk | undefined;
  readonly share: Socket | undefined;
  readonly firmware: Firmware | undefined;
  /** The firmware's variables, where there is firmware. */
  readonly variables: UnnamedFile | undefined;
}

const maxStderrLength = 16 * 1024;

/**
 * Starts QEMU. It is killed with the thread that started it, however that ends (prctl PR_SET_PDEATHSIG, set by
 * setpriv of util-linux), and leads a process group of its own, so that Ctrl-C in a terminal reaches only us.
 */
export function startQemu(program: string, options: GuestOptions, handed: Handed): Machine {
  const sockets = Array.from({ length: 1 + slotCount * 2 }, () => "pipe" as const);
  const { initramfs, disk, share, firmware, variables } = handed;
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...qemuArguments(options, firmware)], {
    detached: true,
    stdio: [
      "ignore",
      "ignore",
      "pipe",
      initramfs.descriptor,
      disk?.descriptor ?? "ignore",
      share ?? "ignore",
      variables?.descriptor ?? "ignore",
      ...sockets,
    ],
  });
  const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-maxStderrLength);
  });
  child.on("error", (error) => {
    stderr += error.message;
    if (child.pid === undefined) resolve({ code: null, signal: null, stderr });
  });
  child.on("close", (code, signal) => resolve({ code, signal, stderr: stderr.trim() }));
  // With "pipe" each of these is a connected socket (node:child_process, options.stdio).
  const streams = child.stdio.slice(stdio.console) as unknown as readonly Duplex[];
  for (const stream of streams) stream.on("error", () => {}); // A reset peer: `ended` tells.
  return {
    processId: child.pid,
    console: streams[0]!, // stdio.console is always there.
    ports: streams.slice(1),
    ended: promise,
    kill: () => child.kill("SIGKILL"),
  };
}
