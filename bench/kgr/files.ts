/** What the guest of the benchmark has beside kgr: its own small C programs, and kpatch with the bash it needs. */
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { GuestFile } from "@kgraft/lab";
import { unpackSource } from "@kgraft/host/build";
import { kpatchSource } from "../coverage/create-diff-object.ts";

const modules = ["lp_busy", "lp_block", "lp_demo", "lp_sleep", "lp_awake"];

export async function benchFiles(from: {
  readonly binary: string;
  /** Where the .ko files are. */
  readonly modules: string;
  /** A folder of the benchmark's own. */
  readonly scratch: string;
}): Promise<readonly GuestFile[]> {
  const kpatch = join(from.scratch, "kpatch");
  await mkdir(kpatch);
  const signal = new AbortController().signal;
  await unpackSource(kpatchSource, kpatch, { onProgress: () => {}, signal });
  return [
    { path: "/bin/kgr", source: from.binary, mode: 0o755 },
    { path: "/bin/kpatch", source: join(kpatch, "kpatch/kpatch"), mode: 0o755 },
    ...withLibraries("/bin/bash"),
    ...["measure", "reader", "tasks"].map((name) => compiled(name, from.scratch)),
    ...modules.map((name) => ({ path: `/p/${name}.ko`, source: join(from.modules, `${name}.ko`) })),
  ];
}

function compiled(name: string, folder: string): GuestFile {
  const program = join(folder, name);
  execFileSync("gcc", ["-O2", "-static", "-o", program, join(import.meta.dirname, `${name}.c`)]);
  return { path: `/bin/${name}`, source: program, mode: 0o755 };
}

/** A program of this machine with the shared libraries that it names, each at its own place. */
function withLibraries(program: string): readonly GuestFile[] {
  const libraries = execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  return [program, ...libraries].map((path) => ({ path, source: path, mode: 0o755 }));
}
