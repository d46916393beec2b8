/** The lengths of all instructions of some shipped modules, beside what objdump says. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bytesSource, readObject } from "@kgraft/elf";
import { openKernel } from "@kgraft/kernel";
import { expect, test } from "vitest";
import { decode } from "../src/arch/x86-64-instructions.ts";

/** Ordinary code, the code of another processor's control, and the widest vector instructions. */
const modules: readonly string[] = [
  "fs/xfs/xfs.ko",
  "arch/x86/kvm/kvm-intel.ko",
  "arch/x86/crypto/chacha-x86_64.ko",
  "lib/raid6/raid6_pq.ko",
];

test.each(modules)("decode() and objdump agree on %s", async (path) => {
  const { modulesDirectory } = await openKernel("6.1.0-55-cloud-amd64");
  const file = join(modulesDirectory, "kernel", path);
  const { sections } = readObject(bytesSource(path, readFileSync(file)));
  const listing = execFileSync("objdump", ["-d", "-w", file], { encoding: "utf8", maxBuffer: 1 << 28 });
  const differing: string[] = [];
  let code: Uint8Array = new Uint8Array(0);
  let count = 0;
  for (const line of listing.split("\n")) {
    const section = /^Disassembly of section (.*):$/.exec(line)?.[1];
    if (section !== undefined) code = sections.find(({ name }) => name === section)?.data ?? code;
    const [, at, bytes = ""] = /^\s+([0-9a-f]+):\t((?:[0-9a-f]{2} )+)/.exec(line) ?? [];
    if (at === undefined) continue;
    count++;
    const start = Number.parseInt(at, 16);
    if (decode(code, start).end !== start + bytes.trim().split(" ").length) differing.push(line);
  }
  expect(differing).toEqual([]);
  expect(count).toBeGreaterThan(1_000);
});
