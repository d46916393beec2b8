/** A whole Debian on a disk that takes packages by its own apt: over HTTP, on its own loopback, from the host's folder. */
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

export interface AptMachine extends AsyncDisposable {
  readonly guest: Guest;
  /** @throws as Guest.run does */
  run(command: string): Promise<CommandResult>;
  /** Down, and up again with this kernel; live patches are loaded as kgr-boot.service does it. */
  restart(kernel: KernelTree): Promise<void>;
}

/** @param folder what the machine's own web server serves as `served` */
export async function startAptMachine(kernel: KernelTree, folder: string): Promise<AptMachine> {
  const packages = [`linux-image-${kernel.release}`, "kmod"];
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
  let guest = await boot(kernel);
  // Debian's mirrors are out of reach from there, and what a kernel recommends with them.
  await guest.run(
    `rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; echo 'APT::Install-Recommends "false";' >/etc/apt/apt.conf.d/90lean`,
  );
  return {
    get guest() {
      return guest;
    },
    run: (command) =>
      guest.run(`export DEBIAN_FRONTEND=noninteractive; ${command}`, { timeoutMs: 1_000_000 }),
    async restart(next) {
      await guest.run("sync");
      await guest.shutdown();
      guest = await boot(next);
      await guest.run("kgr boot");
    },
    async [Symbol.asyncDispose]() {
      await guest.kill();
      disk[Symbol.dispose]();
    },
  };
}

/** A mirror of Debian with one of its packages, and none of its signatures. */
export async function makeMirror(folder: string, name: string, version: string): Promise<void> {
  const work = { onProgress: (): void => {}, signal };
  await mkdir(folder, { recursive: true });
  const files = await locate(await updateIndex("bookworm", "amd64", work), [{ name, version }], signal);
  await download(files, work, folder);
  const { stdout } = await execa("apt-ftparchive", ["packages", "."], { cwd: folder });
  await writeFile(join(folder, "Packages"), `${stdout}\n`);
}
