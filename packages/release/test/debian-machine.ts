/** A whole Debian on a disk that takes packages over HTTP, on its own loopback, from a folder of the host. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelTree } from "@kgraft/kernel";
import { bootGuest, type CommandResult, type Guest, makeDebianRoot, openRootDisk } from "@kgraft/lab";
import { execa } from "execa";
import { locate, updateIndex } from "../../kernel/src/apt.ts";
import { download } from "../../kernel/src/download.ts";
import { signal } from "./built.ts";

/** Where the machine finds the folder. */
export const served = "http://127.0.0.1";

export interface DebianMachine extends AsyncDisposable {
  /** @throws as Guest.run does */
  run(command: string): Promise<CommandResult>;
  /** Both outputs of a command. @throws where it does not end with 0 */
  ok(command: string): Promise<string>;
  /**
   * What /proc/cmdline reads as, each change of it, until the work is done and a moment longer. It is read without a
   * pause, and `original` stands for what the kernel itself has there.
   */
  heardWhile(work: () => Promise<void>): Promise<readonly string[]>;
  /** Down, and up again with this kernel; live patches are loaded as kgr-boot.service does it. */
  restart(kernel: KernelTree): Promise<void>;
  /**
   * Runs a command until one of its processes is in that call, where strace holds it, and cuts the power then. The
   * machine starts again, and nothing is loaded yet.
   *
   * @param look a command that shows where things stood just before
   * @returns both outputs of that; rejects where the command ended without having been there
   */
  cutAt(command: string, held: HeldCall, look: string): Promise<string>;
}

/** A call of the kernel that is held, before it does its work or after. */
export interface HeldCall {
  readonly name: string;
  /** The file it is about, as the program gives it. */
  readonly path?: string;
  readonly side: "enter" | "exit";
}

/** What /proc/cmdline reads as, each change of it a line, until it is stopped. */
export const probe = `last=
  while :; do
    now=$(cat /proc/cmdline)
    case $now in *console=*) now=original ;; esac
    [ "$now" = "$last" ] || echo "$now"
    last=$now
  done`;

/**
 * @param folder what the machine's own web server serves as `served`
 * @param more packages besides the kernel's
 */
export async function startDebianMachine(
  kernel: KernelTree,
  folder: string,
  more: readonly string[] = [],
): Promise<DebianMachine> {
  const packages = [`linux-image-${kernel.release}`, "kmod", ...more];
  const disk = await openRootDisk(await makeDebianRoot({ packages, signal }));
  const boot = async (of: KernelTree): Promise<Guest> => {
    const guest = await bootGuest({
      kernel: of,
      root: { disk, init: "none" },
      modules: ["overlay"],
      // An initramfs takes minutes to make here; that one of ours loads live patches is tried in packages/host/test.
      files: [
        {
          path: "/etc/initramfs-tools/update-initramfs.conf",
          source: Buffer.from("update_initramfs=no\nbackup_initramfs=no\n"),
        },
      ],
      share: folder,
      memoryMib: 1024,
      timeoutMs: 3_000_000,
    });
    await guest.run(
      "/run/lab/bin/busybox ifconfig lo 127.0.0.1 up; /run/lab/bin/busybox httpd -h /share -p 127.0.0.1:80",
    );
    return guest;
  };
  let running = kernel;
  let guest = await boot(running);
  // Debian's mirrors are out of reach from there, and what a kernel recommends with them.
  await guest.run(
    `rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; echo 'APT::Install-Recommends "false";' >/etc/apt/apt.conf.d/90lean`,
  );
  const run = (command: string): Promise<CommandResult> =>
    guest.run(`export DEBIAN_FRONTEND=noninteractive; ${command}`, { timeoutMs: 1_000_000 });
  const ok = async (command: string): Promise<string> => {
    const { status, stdout, stderr } = await run(command);
    if (status === 0) return stdout + stderr;
    throw new Error(`cannot run ${command} in the guest: status ${status}\n${stdout}${stderr}`);
  };
  return {
    run,
    ok,
    async heardWhile(work) {
      const job = guest.start(probe);
      await run("sleep 1");
      await work();
      await run("sleep 2");
      // Each new process has the state of the shell that starts it, which moves once.
      return (await job.stop()).stdout.trim().split("\n");
    },
    async restart(next) {
      await guest.run("sync");
      await guest.shutdown();
      running = next;
      guest = await boot(running);
      await guest.run("kgr boot");
    },
    async cutAt(command, { name, path, side }, look) {
      const inject = `inject=${name}:delay_${side}=${holdSeconds * 1_000_000}`;
      const about = path === undefined ? "" : `-P '${path}'`;
      const ended = run(
        `strace -f --seccomp-bpf -qq -o ${callLog} -e trace=${name} ${about} -e ${inject} ${command} 2>&1`,
      ).then(({ status, stdout }): never => {
        throw new Error(`cannot hold ${command} in ${name} ${path}: status ${status}\n${stdout}`);
      });
      const seen = await Promise.race([
        ended,
        ok(
          `until grep -q '${side === "exit" ? " = " : name}' ${callLog}; do sleep 0.2; done 2>/dev/null; ${look}`,
        ),
      ]);
      ended.catch(() => {}); // it goes with the machine
      await guest.kill();
      guest = await boot(running);
      return seen;
    },
    async [Symbol.asyncDispose]() {
      await guest.kill();
      disk[Symbol.dispose]();
    },
  };
}

/** Where strace notes the call that it holds: gone with the boot. */
const callLog = "/run/lab/calls";
/** Longer than anyone looks. */
const holdSeconds = 900;

/** A mirror of Debian with one of its packages, and none of its signatures. */
export async function makeMirror(folder: string, name: string, version: string): Promise<void> {
  const work = { onProgress: (): void => {}, signal };
  await mkdir(folder, { recursive: true });
  const files = await locate(await updateIndex("bookworm", "amd64", work), [{ name, version }], signal);
  await download(files, work, folder);
  const { stdout } = await execa("apt-ftparchive", ["packages", "."], { cwd: folder });
  await writeFile(join(folder, "Packages"), `${stdout}\n`);
}
