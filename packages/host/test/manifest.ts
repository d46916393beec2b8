import { createHash } from "node:crypto";
import type { Manifest, ManifestFunction } from "@kgraft/contract";
import type { KernelTree } from "@kgraft/kernel";

/** The manifest of a module that was made for a test: it replaces these, as `OBJECT:NAME`. */
export function manifestOf(
  kernel: KernelTree,
  name: string,
  module: Uint8Array,
  functions: readonly string[],
): Manifest {
  return {
    schema: "kgraft-manifest/1",
    name,
    kernel: {
      release: kernel.release,
      packageVersion: kernel.packageVersion,
      architecture: "amd64",
      buildId: kernel.buildId,
    },
    module: {
      file: `${name}.ko`,
      sha256: createHash("sha256").update(module).digest("hex"),
      sizeBytes: module.length,
    },
    fixes: [{ id: "CVE-2026-0001", title: "a test" }],
    functions: functions.map((text): ManifestFunction => {
      const [object = "", replaced = ""] = text.split(":");
      return {
        object,
        name: replaced,
        sympos: 0,
        unit: "fs/proc/cmdline.c",
        originalSizeBytes: 1,
        replacementSizeBytes: 1,
      };
    }),
    sources: [],
    compiler: kernel.compiler.version,
  };
}
