/**
 * Everything `kgr` asks of the machine, in one interface. The tool itself is plain computation over it, so the
 * same code runs on QuickJS on the patched machine (quickjs.ts) and on Node over a directory tree in the tests.
 *
 * Calls that the kernel answers at once are plain calls; only waiting is a promise.
 */
import { n, t, translate } from "./language.ts";

export interface System {
  /**
   * Content of a file.
   *
   * @throws SystemError where it cannot be read, or is longer than the limit (`EFBIG`).
   */
  readBytes(path: string, limitBytes: number): Uint8Array;
  /** First byte of a file; null for an empty one. @throws SystemError */
  firstByte(path: string): number | null;
  /** Number of links of a file or directory; 0 where there is none. */
  linkCount(path: string): number;
  /** Bytes of a file from an offset on; fewer where it ends or no more can be read. @throws SystemError */
  readBytesAt(path: string, offset: number, lengthBytes: number): Uint8Array;
  /**
   * Hands a large file on in pieces. `use` answers how many bytes of its piece it needs no more; the others come again
   * before the next ones, and are dropped at the end of the file. The piece is no longer its own afterwards.
   *
   * @throws SystemError where it cannot be read, or `use` needs more at once than a piece has (`EFBIG`).
   */
  readPieces(path: string, use: (piece: Uint8Array) => number): void;
  /** Names in a directory, without `.` and `..`. @throws SystemError */
  readDirectory(path: string): readonly string[];
  /** Writes to a file that exists, as sysfs wants it: in one write. @throws SystemError */
  writeFile(path: string, text: string): void;
  /** Makes or replaces a file, nobody ever sees a part of it; writes to a device or pipe. @throws SystemError */
  replaceFile(path: string, text: string): void;
  /** Makes or overwrites a file; its content has reached the disk when this returns. @throws SystemError */
  writeThrough(path: string, bytes: Uint8Array): void;
  /** Gives a file another name, in place of what had that name. @throws SystemError */
  rename(from: string, to: string): void;
  /** Makes one directory, or leaves it where it exists. @throws SystemError */
  makeDirectory(path: string): void;
  /** Removes a file, or does nothing where there is none. @throws SystemError */
  removeFile(path: string): void;
  /** Removes an empty directory. @throws SystemError */
  removeDirectory(path: string): void;
  exists(path: string): boolean;
  /** A path from the top, without symbolic links. @throws SystemError */
  realPath(path: string): string;
  /** Runs a program with messages in English. */
  run(program: readonly string[], timeoutMs: number, options?: RunOptions): Promise<RunResult>;
  /** Messages of the kernel that it still has, oldest first, as /dev/kmsg shows them. @throws SystemError */
  kernelLog(): readonly string[];
  /** From here on: each call gives the messages that came since the one before. @throws SystemError */
  newKernelMessages(): () => readonly string[];
  /** Sends a signal to a process. @throws SystemError */
  signal(pid: number, name: "STOP" | "CONT"): void;
  /** Asks on the terminal; null where nobody sits there. */
  ask(question: string): string | null;
  /** A variable of the environment; "" where it is not set. */
  environment(name: string): string;
  /** Milliseconds since the machine was started, without the time that it slept. */
  nowMs(): number;
  /** Milliseconds since 1970, by the machine's clock. */
  epochMs(): number;
  /** Waits, shorter when interrupted. */
  sleep(durationMs: number): Promise<void>;
  /** From here on SIGINT, SIGTERM and SIGHUP do not end the program but make `interrupted()` true. */
  catchInterrupts(): void;
  interrupted(): boolean;
  /** From here on the program does not end because nobody reads what it says. */
  ignoreClosedPipes(): void;
  /** Width of the terminal behind a stream, null where there is none. */
  terminalColumns(stream: Stream): number | null;
  /** Writes text. @throws SystemError where that cannot be done, unless closed pipes are ignored */
  print(stream: Stream, text: string): void;
}

export type Stream = "out" | "err";

export interface RunOptions {
  /** How much is kept of what it says; 4 KiB where not given. */
  readonly limitBytes?: number;
  /** Called about each second that it runs, with its number and for how long it has. */
  readonly onWait?: (pid: number, elapsedMs: number) => void;
}

/** `output` is what it said. */
export type RunResult =
  | { readonly kind: "exited"; readonly status: number; readonly output: string }
  | { readonly kind: "timeout"; readonly output: string };

/** Names of the errors that the tool tells apart or shows; the numbers are Linux's on amd64 and ppc64el. */
const errorNames: ReadonlyMap<number, string> = new Map([
  [1, "EPERM"],
  [2, "ENOENT"],
  [3, "ESRCH"],
  [4, "EINTR"],
  [5, "EIO"],
  [11, "EAGAIN"],
  [12, "ENOMEM"],
  [13, "EACCES"],
  [16, "EBUSY"],
  [17, "EEXIST"],
  [19, "ENODEV"],
  [20, "ENOTDIR"],
  [21, "EISDIR"],
  [22, "EINVAL"],
  [27, "EFBIG"],
  [28, "ENOSPC"],
  [30, "EROFS"],
  [32, "EPIPE"],
]);

/** Name of an error number, such as `ENOENT`; `errno 99` for one that is not in the table. */
export function errorName(errno: number): string {
  return errorNames.get(errno) ?? `errno ${errno}`;
}

/** What to type next, by the name of an error; where the caller knows better it says so. */
const hints: ReadonlyMap<string, string> = new Map([
  ["EACCES", n`type the command after: sudo`],
  ["EPERM", n`type the command after: sudo; what root may not either, lockdown or the file system forbids`],
  ["ENOENT", n`see what is there with: ls`],
  ["ENOTDIR", n`see what is there with: ls`],
  ["EISDIR", n`type the path of a file`],
  ["EFBIG", n`type the path of another file`],
  ["ENOSPC", n`make room, and type the command again; see where with: df -h`],
  ["EROFS", n`make the file system writable, and type the command again; see it with: findmnt`],
  ["ENOMEM", n`free some memory, and type the command again; see it with: free`],
]);

/** A call to the system that failed. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** Such as `ENOENT`. */
  readonly code: string;
  readonly hint: string;

  constructor(action: string, path: string, code: string, hint = "") {
    super(t`cannot ${translate(action)} ${path}: ${code}`);
    this.code = code;
    this.hint = hint === "" ? translate(hints.get(code) ?? n`see the end of dmesg`) : hint;
  }
}
