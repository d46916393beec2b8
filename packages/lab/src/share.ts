/**
 * A host directory that the guest reads and writes live.
 *
 * virtiofsd answers the guest's file requests and shuts itself into the directory with namespaces of its own. Debian
 * 12's wants to be root and leaves a file in /run/virtiofsd for each run; so it gets a mount namespace with an
 * empty /run, and where we are not root a user namespace in which we are: what the guest writes is then ours.
 * We connect to its socket ourselves and hand QEMU the connection, so that the socket's name lives only for a moment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ShareFailed } from "./errors.ts";
import { findVirtiofsd } from "./requirements.ts";

/** A host directory that is being served to one guest. */
export interface Share {
  /** The connection to the daemon, for QEMU. */
  readonly connection: Socket;
  /** Ends the daemon. */
  readonly stop: () => Promise<void>;
}

/** The daemon ends with the thread that started it, and with its connection. */
const launch = 'mount -t tmpfs none /run && exec setpriv --pdeathsig KILL "$@"';
const startTimeMs = 5000;

async function sourceOf(directory: string): Promise<string> {
  const source = resolve(directory);
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new ShareFailed(
      `cannot share ${source} with the guest: it is no directory`,
      "name a directory that exists",
    );
  }
  if (source.includes(",")) {
    throw new ShareFailed(
      `cannot share ${source} with the guest: its name has a comma, which the daemon takes for an option's end`,
      "rename the directory, or name one above it",
    );
  }
  if (/^\/(?:var\/)?run(?:\/|$)/.test(source)) {
    throw new ShareFailed(
      `cannot share ${source} with the guest: it is under /run, which the daemon does not see`,
      "name a directory elsewhere",
    );
  }
  return source;
}

async function connectTo(
  socket: string,
  alive: () => boolean,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const started = performance.now();
  while (alive() && performance.now() - started < startTimeMs) {
    signal?.throwIfAborted();
    const connection = connect({ path: socket });
    // Paused: every byte is QEMU's to read.
    connection.pause();
    try {
      await once(connection, "connect");
      return connection;
    } catch {
      connection.destroy();
      await sleep(10);
    }
  }
  throw new Error("it did not listen");
}

function startDaemon(program: string, socket: string, source: string): ChildProcess {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return spawn(
    "unshare",
    [
      ...user,
      "--mount",
      "sh",
      "-c",
      launch,
      "sh",
      program,
      `--socket-path=${socket}`,
      "-o",
      `source=${source}`,
    ],
    { detached: true, stdio: ["ignore", "ignore", "pipe"] },
  );
}

/**
 * Serves a directory to the one guest that gets the connection.
 *
 * @throws ShareFailed where the directory is none, or the daemon is missing or does not start
 */
export async function startShare(directory: string, signal: AbortSignal | undefined): Promise<Share> {
  const program = await findVirtiofsd();
  const source = await sourceOf(directory);
  const home = await mkdtemp(join(tmpdir(), "kgraft-share-"));
  const socket = join(home, "socket");
  const child = startDaemon(program, socket, source);
  let said = "";
  let alive = true;
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4096);
  });
  const ended = new Promise<void>((settle) => {
    const end = (): void => {
      alive = false;
      settle();
    };
    child.on("error", end);
    child.on("close", end);
  });
  const stop = async (): Promise<void> => {
    if (alive) child.kill("SIGKILL");
    await ended;
  };
  try {
    const connection = await connectTo(socket, () => alive, signal);
    return { connection, stop };
  } catch (cause) {
    await stop();
    signal?.throwIfAborted();
    throw new ShareFailed(
      `cannot share ${source} with the guest: virtiofsd did not start: ${said.trim() || "it said nothing"}`,
      "run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
      { cause },
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
