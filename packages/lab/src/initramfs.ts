import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type CpioEntry, writeCpio } from "./cpio.ts";
import { GuestFileFailed } from "./errors.ts";
import { resolveModules } from "./kernel-modules.ts";
import { slotCount, transportModules } from "./machine.ts";
import type { GuestFile, GuestOptions } from "./options.ts";
import { findBusybox } from "./requirements.ts";

const scripts = {
  init: fileURLToPath(new URL("../guest/init.sh", import.meta.url)),
  goOn: fileURLToPath(new URL("../guest/go-on.sh", import.meta.url)),
  serve: fileURLToPath(new URL("../guest/serve.sh", import.meta.url)),
} as const;

async function fileEntry(file: GuestFile): Promise<CpioEntry> {
  const path = file.path.replace(/^\/+/, "");
  if (path === "" || path.split("/").some((part) => part === ".." || part === "")) {
    throw new GuestFileFailed(`cannot put ${file.path} into the guest: wanted an absolute path without ".."`);
  }
  let contents: Uint8Array;
  try {
    contents = typeof file.source === "string" ? await readFile(file.source) : file.source;
  } catch (cause) {
    throw new GuestFileFailed(`cannot put ${String(file.source)} into the guest: it cannot be read`, {
      cause,
    });
  }
  return { kind: "file", path, mode: file.mode ?? 0o644, contents };
}

function text(path: string, contents: string): CpioEntry {
  return { kind: "file", path, mode: 0o644, contents: Buffer.from(contents) };
}

/** What tells the first process to go on into the disk's own system, and which files to take along. */
function rootEntries({ root, files = [] }: GuestOptions): readonly CpioEntry[] {
  if (root === undefined) return [];
  return [
    { kind: "directory", path: "root-disk", mode: 0o755 },
    text("lab/root", `${root.init}\n`),
    text("lab/files", files.map((file) => `${file.path}\n`).join("")),
  ];
}

/** The guest's first file system: busybox, the two scripts, the modules in load order, and the caller's files. */
export async function buildInitramfs(options: GuestOptions): Promise<Uint8Array> {
  const busybox = await findBusybox();
  const names = [...transportModules(options), ...(options.modules ?? [])];
  const modules = await resolveModules(options.kernel.modulesDirectory, names, options.signal);
  const directories = ["bin", "dev", "etc", "lab", "proc", "root", "run", "sys", "tmp"];
  return writeCpio([
    ...directories.map((path): CpioEntry => ({ kind: "directory", path, mode: 0o755 })),
    { kind: "device", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
    { kind: "device", path: "dev/null", mode: 0o666, major: 1, minor: 3 },
    { kind: "link", path: "etc/mtab", target: "/proc/mounts" },
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    text("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    text("lab/slots", `${slotCount}\n`),
    text("lab/order", modules.map((module) => `${module.name}\n`).join("")),
    ...(options.share === undefined ? [] : [text("lab/share", "")]),
    ...rootEntries(options),
    ...modules.map(({ name, contents }): CpioEntry => {
      return { kind: "file", path: `lab/modules/${name}.ko`, mode: 0o644, contents };
    }),
    await fileEntry({ path: "/bin/busybox", source: busybox, mode: 0o755 }),
    await fileEntry({ path: "/init", source: scripts.init, mode: 0o755 }),
    await fileEntry({ path: "/lab/go-on", source: scripts.goOn }),
    await fileEntry({ path: "/lab/serve", source: scripts.serve, mode: 0o755 }),
    ...(await Promise.all((options.files ?? []).map(fileEntry))),
  ]);
}
