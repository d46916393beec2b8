/**
 * Whether a module can go into a kernel of this release, as far as its file tells: before a guest is booted for it.
 * The kernel asks the same of its first word (`vermagic=6.1.0-55-cloud-amd64 SMP preempt mod_unload modversions`),
 * check_modinfo() in kernel/module/main.c.
 */
import { bytesSource, ElfFormatError, findSection, openElf, sectionData } from "@kgraft/elf";
import { ModuleUnfit } from "./errors.ts";
import { readInput } from "./input-file.ts";

/** What a relocatable file has in its header, e_type. */
const relocatable = 1;
const hint = "name a module (.ko) as kgraft build writes it, not compressed";

/** @throws ModuleUnfit, FileUnreadable, or the signal's reason */
export async function checkModule(path: string, release: string, signal: AbortSignal): Promise<void> {
  const found = moduleRelease(path, await readInput(path, { hint, signal }));
  if (found === release) return;
  throw new ModuleUnfit(
    `cannot load ${path}: it is made for kernel ${found}, wanted ${release}`,
    `name a module of this kernel (kgraft build --kernel ${release} makes one), or boot the other: --kernel ${found}`,
  );
}

/** The release in a module's vermagic. @throws ModuleUnfit for what is no whole module */
export function moduleRelease(path: string, bytes: Uint8Array): string {
  const refuse = (problem: string, cause?: unknown): ModuleUnfit =>
    new ModuleUnfit(`cannot load ${path}: ${problem}`, hint, { cause });
  if (bytes.length === 0) throw refuse("it is empty, wanted a kernel module");
  if (Buffer.from(bytes.subarray(0, 4)).toString("latin1") !== "\u007fELF") {
    throw refuse("it is no ELF file, wanted a kernel module");
  }
  try {
    const file = openElf(bytesSource(path, bytes));
    if (file.type !== relocatable) {
      throw refuse(
        `its ELF type is ${file.type}, wanted ${relocatable} (a relocatable file, as modules are)`,
      );
    }
    const section = findSection(file, ".modinfo");
    if (section === undefined) throw refuse("it has no section .modinfo, wanted a kernel module");
    const entries = Buffer.from(sectionData(file, section)).toString("utf8").split("\0");
    const vermagic = entries.find((entry) => entry.startsWith("vermagic="));
    const release = vermagic?.slice("vermagic=".length).split(" ")[0] ?? "";
    if (release === "") throw refuse("its .modinfo names no vermagic, wanted a kernel release");
    return release;
  } catch (error) {
    if (!(error instanceof ElfFormatError)) throw error;
    throw refuse(`it is damaged or cut off: ${error.message}`, error);
  }
}
