/** Which system this is, and whether kgraft was made for it. */
import { readFile, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { cacheDirectory } from "@kgraft/kernel";
import { MachineUnsupported } from "../errors.ts";

export interface SystemFacts {
  /** As the system calls itself. */
  readonly name: string;
  readonly machine: string;
  readonly supported: boolean;
}

const supportedDebian: ReadonlySet<string> = new Set(["12", "13"]);

export async function readSystem(
  file = "/etc/os-release",
  machine: string = process.arch,
): Promise<SystemFacts> {
  const text = await readFile(file, "utf8").catch(() => "");
  const field = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return {
    name: field("PRETTY_NAME") || "an unknown system",
    machine: machine === "x64" ? "amd64" : machine,
    supported: field("ID") === "debian" && supportedDebian.has(field("VERSION_ID")) && machine === "x64",
  };
}

/** @throws MachineUnsupported */
export function checkSupported({ name, machine, supported }: SystemFacts): void {
  if (supported) return;
  throw new MachineUnsupported(
    `cannot work here: this is ${name} on ${machine}, wanted Debian 12 or 13 on amd64`,
    "kgraft needs Debian's package tools, its compiler and QEMU: use a Debian machine, container or chroot",
  );
}

export interface Space {
  readonly path: string;
  readonly freeBytes: number;
  readonly wantedBytes: number;
}

/** One prepared kernel, with the source packages and what is made of them. */
const wantedBytes = 5 * 1000 ** 3;

/** Room where the cache is or will be. */
export async function readSpace(env: NodeJS.ProcessEnv): Promise<Space> {
  const path = cacheDirectory(env);
  for (let at = path; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found !== undefined) return { path, freeBytes: found.bavail * found.bsize, wantedBytes };
    if (at === dirname(at)) return { path, freeBytes: 0, wantedBytes };
  }
}
