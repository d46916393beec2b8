/** A machine of busybox and kgr that boots from a disk of its own: what is written there outlives the boot. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { KernelTree } from "@kgraft/kernel";
import { buildKgr } from "../build/mod.ts";
import { patchFiles } from "./bootable.ts";
import { makeModules } from "./guest.ts";

const run = promisify(execFile);
const directories = ["dev", "etc/kgr", "proc", "root", "run", "sys", "tmp", "usr/sbin", "usr/bin", "var/lib"];

/** What the machine runs when it boots: the distribution's function, or that of patch 1 or 2. */
export type Version = "original" | "1" | "2";

/** The version that /proc/version tells of. */
export function versionIn(text: string): Version {
  const [, version] = /live patch ([12])/.exec(text) ?? [];
  return version === "1" || version === "2" ? version : "original";
}

/**
 * Makes its disk, ext4, in the folder: busybox, kgr, patches 1 and 2 in /root/p, and another build of 2 in /root/q.
 * A patch counts as good as soon as it is confirmed. Small, because it may be copied for each boot.
 *
 * @returns the disk's file
 */
export async function makeSmallMachine(kernel: KernelTree, folder: string): Promise<string> {
  const tree = path.join(folder, "tree");
  const modules = await makeModules(kernel);
  for (const directory of [...directories, `usr/lib/modules/${kernel.release}`]) {
    await mkdir(path.join(tree, directory), { recursive: true });
  }
  await copyFile("/bin/busybox", path.join(tree, "usr/bin/busybox"));
  await symlink("usr/bin", path.join(tree, "bin"));
  for (const program of (await run("/bin/busybox", ["--list"])).stdout.trim().split("\n")) {
    await symlink("busybox", path.join(tree, "usr/bin", program)).catch(() => {}); // busybox names itself
  }
  const binary = await buildKgr({ signal: new AbortController().signal });
  await copyFile(binary, path.join(tree, "usr/sbin/kgr"));
  await writeFile(path.join(tree, "etc/kgr/kgr.conf"), "CRASH_GUARD=0\n");
  for (const file of [
    ...(await patchFiles(kernel, path.join(modules, "lp_v1.ko"), "/root/p")),
    ...(await patchFiles(kernel, path.join(modules, "lp_v2.ko"), "/root/p")),
    ...(await patchFiles(kernel, path.join(modules, "lp_v2.ko"), "/root/q", "\n")),
  ]) {
    await mkdir(path.dirname(tree + file.path), { recursive: true });
    await writeFile(tree + file.path, file.source);
  }
  const made = path.join(folder, "disk");
  await run("mke2fs", ["-q", "-F", "-t", "ext4", "-d", tree, made, "32M"]);
  await rm(modules, { recursive: true });
  return made;
}
