/**
 * What the operating system refused, in words. Its errors come as a code and a system call (`ENOSPC: no space left on
 * device, write`); whoever typed the command wants to know what was to be read or written, what is the matter with
 * it, and what to do. Meanings of the codes: errno(3).
 */
import { getSystemErrorMap } from "node:util";

/** An error of the operating system as Node gives it. */
export interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly errno?: number;
  readonly path?: string;
  readonly dest?: string;
}

interface Words {
  readonly matter: string;
  readonly hint: string;
}

const freeSpace = "free some space, or name a directory on another file system (-o, TMPDIR, KGRAFT_CACHE)";
const otherDirectory = "name a directory that you may write to (-o, TMPDIR, KGRAFT_CACHE)";
const checkPath = "check the path";
const rights = "check who may read and write it (ls -l), or name another path";

const wordsOf: Readonly<Record<string, Words>> = {
  EACCES: { matter: "permission is denied", hint: rights },
  EBUSY: { matter: "it is in use", hint: "end what uses it, or name another path" },
  EDQUOT: { matter: "the disk quota is used up", hint: freeSpace },
  EEXIST: { matter: "it is there already", hint: "name another path, or remove it" },
  EFBIG: { matter: "the file would be too large", hint: otherDirectory },
  EIO: { matter: "the device failed", hint: "see in the machine's log (dmesg) what is wrong with the disk" },
  EISDIR: { matter: "it is a directory, wanted a file", hint: checkPath },
  ELOOP: { matter: "its symbolic links go in a circle", hint: checkPath },
  EMFILE: { matter: "too many files are open", hint: "raise the limit: ulimit -n 4096" },
  ENAMETOOLONG: { matter: "the name is too long", hint: "name a shorter path" },
  ENFILE: { matter: "too many files are open on this machine", hint: "end other programs, then try again" },
  ENOENT: { matter: "it is not there", hint: checkPath },
  ENOMEM: { matter: "no memory is left", hint: "end other programs, then try again" },
  ENOSPC: { matter: "no space is left on the device", hint: freeSpace },
  ENOTDIR: { matter: "a part of the path is a file, wanted a directory", hint: checkPath },
  EPERM: { matter: "it is not permitted", hint: rights },
  EROFS: { matter: "the file system is read-only", hint: otherDirectory },
};

const reading: ReadonlySet<string> = new Set(
  "access fstat lstat opendir read readdir readlink realpath scandir stat statfs".split(" "),
);
const writing: ReadonlySet<string> = new Set(
  "chmod copyfile fchmod fdatasync fsync ftruncate link mkdir mkdtemp rename rm rmdir symlink unlink utime write writev".split(
    " ",
  ),
);

export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}

/** What is the matter, without what it is the matter with; undefined where the operating system has no part in it. */
export function matterOf(error: unknown): string | undefined {
  return isSystemError(error) ? words(error).matter : undefined;
}

/** The whole message, and what to do. */
export function explainSystemError(error: SystemError): {
  readonly message: string;
  readonly hint: string;
} {
  const { matter, hint } = words(error);
  return { message: `cannot ${action(error)}: ${matter}`, hint };
}

function words({ code, errno, message }: SystemError): Words {
  const known = wordsOf[code];
  if (known !== undefined) return known;
  const said = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return { matter: `${said ?? message} (${code})`, hint: "errno(3) tells what this code means" };
}

function action({ syscall, path, dest }: SystemError): string {
  const [call = ""] = syscall.split(" ");
  const where = dest ?? path;
  if (call === "spawn") return `run ${path ?? syscall.slice("spawn ".length)}`;
  if (reading.has(call)) return `read ${where ?? "a file"}`;
  if (writing.has(call)) return `write ${where ?? "a file"}`;
  if (call === "open") return `open ${where ?? "a file"}`;
  return where === undefined ? `do ${call}` : `do ${call} on ${where}`;
}
