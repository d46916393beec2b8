/** The system as QuickJS offers it. */
import * as os from "qjs:os";
import * as std from "qjs:std";
import { n, t } from "./language.ts";
import {
  errorName,
  type RunOptions,
  type RunResult,
  type Stream,
  type System,
  SystemError,
} from "./system.ts";
import { decodeUtf8 } from "./text.ts";

const SIGHUP = 1;
const SIGKILL = 9;
const SIGCONT = 18;
const SIGSTOP = 19;
const outputLimitBytes = 4096;
const waitEachMs = 1000;
/** Shared by all reads: most files under /proc and /sys fit into it at once. */
const buffer: ArrayBuffer = new ArrayBuffer(65_536);
const bufferBytes: Uint8Array = new Uint8Array(buffer);

/** The patched machine. */
export function quickjsSystem(): System {
  let interrupted = false;
  let carryOn = false;
  let wake: (() => void) | null = null;
  const interrupt = (): void => {
    interrupted = true;
    wake?.();
  };
  return {
    readBytes,
    firstByte,
    linkCount: (path) => os.stat(path)[0]?.nlink ?? 0,
    readBytesAt,
    readPieces,
    readDirectory,
    writeFile,
    replaceFile,
    writeThrough,
    rename: (from, to) => expect(n`rename`, from, os.rename(from, to)),
    makeDirectory: (path) => expect(n`make directory`, path, os.mkdir(path, 0o755), "EEXIST"),
    removeFile: (path) => expect(n`remove`, path, os.remove(path), "ENOENT"),
    removeDirectory: (path) => expect(n`remove`, path, os.remove(path)),
    exists: (path) => os.stat(path)[1] === 0,
    realPath,
    run,
    kernelLog,
    newKernelMessages,
    signal: (pid, name) =>
      expect(n`signal`, `process ${pid}`, os.kill(pid, name === "STOP" ? SIGSTOP : SIGCONT)),
    ask,
    environment: (name) => std.getenv(name) ?? "",
    nowMs: () => os.now(),
    epochMs: () => Date.now(),
    sleep: (durationMs) =>
      new Promise((resolve) => {
        if (interrupted) {
          resolve();
          return;
        }
        const timer = os.setTimeout(resolve, durationMs);
        wake = () => {
          os.clearTimeout(timer);
          resolve();
        };
      }),
    catchInterrupts() {
      for (const signal of [os.SIGINT, os.SIGTERM, SIGHUP]) {
        os.signal(signal, interrupt);
      }
    },
    interrupted: () => interrupted,
    ignoreClosedPipes() {
      carryOn = true;
      os.signal(os.SIGPIPE, undefined);
    },
    terminalColumns(stream) {
      const fd = stream === "out" ? 1 : 2;
      return os.isatty(fd) ? (os.ttyGetWinSize(fd)?.[0] ?? 80) : null;
    },
    print: (stream, text) => print(stream, text, carryOn),
  };
}

function ask(question: string): string | null {
  if (!os.isatty(0) || !os.isatty(2)) {
    return null;
  }
  print("err", question, true);
  const answer = std.in.getline();
  if (answer === null) {
    print("err", "\n", true); // Ctrl-D ends no line
  }
  return answer ?? "";
}

/** Without a word that is not needed: it is asked for each task. */
function firstByte(path: string): number | null {
  const fd = os.open(path, os.O_RDONLY);
  if (fd < 0) {
    throw new SystemError(n`open`, path, errorName(-fd));
  }
  const count = os.read(fd, buffer, 0, 16);
  os.close(fd);
  if (count > 0) {
    return bufferBytes[0]!; // one was read at least
  }
  expect(n`read`, path, count);
  return null;
}

function readBytes(path: string, limitBytes: number): Uint8Array {
  const fd = expect(n`open`, path, os.open(path, os.O_RDONLY));
  try {
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    for (;;) {
      const count = os.read(fd, buffer, 0, buffer.byteLength);
      if (errorName(-count) === "EINTR") {
        continue;
      }
      expect(n`read`, path, count);
      if (count === 0) {
        break;
      }
      sizeBytes += count;
      if (sizeBytes > limitBytes) {
        throw new SystemError(n`read`, path, "EFBIG", t`it is longer than ${limitBytes} bytes`);
      }
      parts.push(new Uint8Array(buffer.slice(0, count)));
    }
    return parts.length === 1 ? parts[0]! : join(parts, sizeBytes);
  } finally {
    os.close(fd);
  }
}

function realPath(path: string): string {
  const [real, errno] = os.realpath(path);
  expect(n`find`, path, -errno);
  return real;
}

function readBytesAt(path: string, offset: number, lengthBytes: number): Uint8Array {
  const fd = expect(n`open`, path, os.open(path, os.O_RDONLY));
  try {
    expect(n`read`, path, os.seek(fd, offset, std.SEEK_SET));
    const bytes = new ArrayBuffer(lengthBytes);
    let at = 0;
    while (at < lengthBytes) {
      const count = os.read(fd, bytes, at, lengthBytes - at);
      if (errorName(-count) !== "EINTR") {
        expect(n`read`, path, count);
        if (count === 0) {
          break;
        }
        at += count;
      }
    }
    return new Uint8Array(bytes, 0, at);
  } finally {
    os.close(fd);
  }
}

function readPieces(path: string, use: (piece: Uint8Array) => number): void {
  const fd = expect(n`open`, path, os.open(path, os.O_RDONLY));
  const bytes = new Uint8Array(buffer.byteLength); // use() may read other files
  try {
    for (let [filled, kept] = [0, 0]; ;) {
      const count = os.read(fd, bytes.buffer, filled, bytes.length - filled);
      if (errorName(-count) === "EINTR") {
        continue;
      }
      filled += expect(n`read`, path, count);
      if (count > 0 && filled < bytes.length) {
        continue; // /proc gives a page at a time
      }
      if (filled === kept) {
        return;
      }
      const used = use(bytes.subarray(0, filled));
      if (used === 0 && filled === bytes.length) {
        throw new SystemError(n`read`, path, "EFBIG");
      }
      bytes.copyWithin(0, used, filled);
      filled -= used;
      kept = filled;
    }
  } finally {
    os.close(fd);
  }
}

function kernelLog(): readonly string[] {
  const fd = openKernelLog();
  try {
    return readMessages(fd);
  } finally {
    os.close(fd);
  }
}

/** Not by reading all that there is first: on a machine that has run for a while that is a second's work. */
function newKernelMessages(): () => readonly string[] {
  const fd = openKernelLog(); // open until the program ends
  expect(n`read`, "/dev/kmsg", os.seek(fd, 0, std.SEEK_END));
  return () => readMessages(fd);
}

function openKernelLog(): number {
  const O_NONBLOCK = 0x800; // without it, the message after the last would be waited for
  return expect(n`open`, "/dev/kmsg", os.open("/dev/kmsg", os.O_RDONLY | O_NONBLOCK));
}

/** Each read of /dev/kmsg is one message. */
function readMessages(fd: number): readonly string[] {
  const messages: string[] = [];
  for (;;) {
    const count = os.read(fd, buffer, 0, buffer.byteLength);
    const code = count < 0 ? errorName(-count) : "";
    if (count === 0 || code === "EAGAIN") {
      return messages;
    }
    // EPIPE: messages were dropped meanwhile, the next read goes on with the oldest.
    if (code !== "EPIPE" && code !== "EINTR") {
      expect(n`read`, "/dev/kmsg", count);
      messages.push(decodeUtf8(new Uint8Array(buffer, 0, count)));
    }
  }
}

function join(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function readDirectory(path: string): readonly string[] {
  const [names, errno] = os.readdir(path);
  expect(n`list`, path, -errno);
  return names.filter((name) => name !== "." && name !== "..");
}

function writeFile(path: string, text: string): void {
  const fd = expect(n`open`, path, os.open(path, os.O_WRONLY));
  try {
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    expect(n`write`, path, os.write(fd, bytes.buffer, 0, bytes.length));
  } finally {
    os.close(fd);
  }
}

/** For /run, in memory, where there is nothing to flush; what is to survive a power cut is in durable.ts. */
function replaceFile(path: string, text: string): void {
  // A device or a pipe is written to: as root, a rename would put a file in the place of /dev/null.
  const special = ((os.stat(path)[0]?.mode ?? os.S_IFREG) & os.S_IFMT) !== os.S_IFREG;
  const temporary = special ? path : `${path}.${os.getpid()}.tmp`;
  const error: { errno?: number } = {};
  const file = std.open(temporary, "w", error);
  if (file === null) {
    throw new SystemError(n`write`, path, errorName(error.errno ?? 5));
  }
  file.puts(text);
  file.flush();
  const failed = file.error();
  if (file.close() < 0 || failed) {
    if (!special) {
      os.remove(temporary);
    }
    const folder = path.slice(0, path.lastIndexOf("/") + 1) || ".";
    throw new SystemError(
      n`write`,
      path,
      "EIO",
      t`see whether the file system is full with: df -h ${folder}`,
    );
  }
  if (special) {
    return;
  }
  const errno = os.rename(temporary, path);
  if (errno < 0) {
    os.remove(temporary);
  }
  expect(n`rename`, path, errno);
}

/** QuickJS has no fsync, but open(2) has O_SYNC: each write is on the disk before it returns. */
function writeThrough(path: string, bytes: Uint8Array): void {
  const O_CREAT = 0x40;
  const O_TRUNC = 0x200;
  const O_SYNC = 0x10_1000;
  const flags = os.O_WRONLY | O_CREAT | O_TRUNC | O_SYNC;
  const fd = expect(n`write`, path, os.open(path, flags, 0o644));
  try {
    for (let at = 0; at < bytes.length;) {
      const count = os.write(fd, bytes.buffer, bytes.byteOffset + at, bytes.length - at);
      at += errorName(-count) === "EINTR" ? 0 : expect(n`write`, path, count);
    }
  } finally {
    os.close(fd);
  }
}

async function run(
  program: readonly string[],
  timeoutMs: number,
  { limitBytes = outputLimitBytes, onWait = () => {} }: RunOptions = {},
): Promise<RunResult> {
  const ends = os.pipe();
  if (ends === null) {
    throw new SystemError(n`run`, program[0] ?? "", "EMFILE");
  }
  const [readEnd, writeEnd] = ends;
  const pid = os.exec([...program], {
    block: false,
    usePath: false,
    stdout: writeEnd,
    stderr: writeEnd,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
  });
  os.close(writeEnd);
  const said: Uint8Array[] = [];
  let sizeBytes = 0;
  const pipe = { open: true };
  os.setReadHandler(readEnd, () => {
    const count = os.read(readEnd, buffer, 0, buffer.byteLength);
    if (count > 0) {
      const kept = new Uint8Array(buffer.slice(0, Math.min(count, limitBytes - sizeBytes)));
      sizeBytes += kept.length;
      said.push(kept);
    } else {
      pipe.open = false;
      os.setReadHandler(readEnd, null);
    }
  });
  const status = await waitFor(pid, timeoutMs, onWait);
  // What it said last may still be in the pipe; something that it left behind may hold the pipe open.
  for (let round = 0; pipe.open && round < 50; round++) {
    await os.sleepAsync(2);
  }
  os.setReadHandler(readEnd, null);
  os.close(readEnd);
  const output = decodeUtf8(join(said, sizeBytes));
  return status === null ? { kind: "timeout", output } : { kind: "exited", status, output };
}

async function waitFor(
  pid: number,
  timeoutMs: number,
  onWait: NonNullable<RunOptions["onWait"]>,
): Promise<number | null> {
  const startMs = os.now();
  let nextMs = startMs + waitEachMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    const [ended, status] = os.waitpid(pid, os.WNOHANG);
    if (ended === pid) {
      const signal = status & 0x7f;
      return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
    }
    if (os.now() >= nextMs) {
      nextMs += waitEachMs;
      onWait(pid, os.now() - startMs);
    }
    if (os.now() - startMs > timeoutMs) {
      os.kill(pid, SIGKILL);
      await os.sleepAsync(100);
      os.waitpid(pid, os.WNOHANG);
      return null;
    }
    await os.sleepAsync(pauseMs);
  }
}

function print(stream: Stream, text: string, carryOn: boolean): void {
  const file = stream === "out" ? std.out : std.err;
  file.puts(text);
  file.flush();
  if (file.error() && !carryOn && stream === "out") {
    throw new SystemError(n`write to`, t`the standard output`, "EIO", t`see whether its device is full`);
  }
}

/** Answers a count or descriptor as it is, and throws for an error number unless it is the one that is fine. */
function expect(action: string, path: string, answer: number, fine = ""): number {
  if (answer < 0 && errorName(-answer) !== fine) {
    throw new SystemError(action, path, errorName(-answer));
  }
  return answer;
}
