import { access, constants, open } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { findFirmware } from "./firmware.ts";
import { BusyboxMissing, GuestFileFailed, QemuMissing, ShareFailed } from "./errors.ts";

/** One thing the machine must have, for `kgraft doctor`. */
export interface Requirement {
  readonly what: string;
  /** Debian package that brings it. */
  readonly packageName: string;
  readonly present: boolean;
  /** Where it was found, or what is wrong. */
  readonly detail: string;
}

/** The first of these programs that can be run: absolute paths as they are, names through PATH. */
async function findProgram(names: readonly string[]): Promise<string | undefined> {
  const directories = (process.env["PATH"] ?? "").split(delimiter).filter((directory) => directory !== "");
  const paths = names.flatMap((name) =>
    name.startsWith("/")
      ? [name]
      : [...directories, "/usr/sbin", "/sbin"].map((directory) => join(directory, name)),
  );
  for (const path of paths) {
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not here; the next one.
    }
  }
  return undefined;
}

export async function findQemu(): Promise<string> {
  const path = await findProgram(["qemu-system-x86_64"]);
  if (path === undefined) {
    throw new QemuMissing("cannot boot a guest: qemu-system-x86_64 is not in PATH");
  }
  return path;
}

/** Whether an ELF file asks for a program interpreter (PT_INTERP), which is to say: is linked dynamically. */
async function isStatic(path: string): Promise<boolean> {
  await using file = await open(path);
  const head = Buffer.alloc(4096);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  if (bytesRead < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2) return false;
  const offset = Number(head.readBigUInt64LE(32));
  const sizeBytes = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  for (let index = 0; index < count; index++) {
    const at = offset + index * sizeBytes;
    if (at + 4 > bytesRead || head.readUInt32LE(at) === 3) return false;
  }
  return true;
}

export async function findBusybox(): Promise<string> {
  const path = await findProgram(["busybox"]);
  if (path === undefined) throw new BusyboxMissing("cannot boot a guest: busybox is not in PATH");
  if (!(await isStatic(path))) {
    throw new BusyboxMissing(
      `cannot boot a guest with ${path}: it is no statically linked program, wanted one`,
    );
  }
  return path;
}

/** Bookworm has virtiofsd in qemu-system-common, later suites in a package of its own. */
export async function findVirtiofsd(): Promise<string> {
  const path = await findProgram(["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "virtiofsd"]);
  if (path === undefined) {
    throw new ShareFailed(
      "cannot share a directory with the guest: virtiofsd is not installed",
      "apt-get install qemu-system-common (Debian 12) or virtiofsd (later)",
    );
  }
  return path;
}

export async function findMke2fs(): Promise<string> {
  const path = await findProgram(["mke2fs"]);
  if (path === undefined) {
    throw new GuestFileFailed(
      "cannot make ext4 on the guest's disk: mke2fs (package e2fsprogs) is not installed",
    );
  }
  return path;
}

async function requirement(
  what: string,
  packageName: string,
  find: () => Promise<string>,
): Promise<Requirement> {
  try {
    return { what, packageName, present: true, detail: await find() };
  } catch (error) {
    return {
      what,
      packageName,
      present: false,
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}

/** What this machine has and lacks for booting guests. */
export async function checkRequirements(): Promise<readonly Requirement[]> {
  return [
    await requirement("QEMU for x86-64", "qemu-system-x86", findQemu),
    await requirement("static busybox, the guest's userland", "busybox-static", findBusybox),
    await requirement("virtiofsd, for directories shared with a guest", "qemu-system-common", findVirtiofsd),
    await requirement("OVMF, the firmware of guests that trust a certificate", "ovmf", findFirmware),
    await requirement("mke2fs, for ext4 on a guest's disk", "e2fsprogs", findMke2fs),
  ];
}
