/** What a machine needs to load a live patch when it boots, for guests: the tool, its units and hooks, and patches. */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { Manifest } from "@kgraft/contract";
import type { KernelTree } from "@kgraft/kernel";
import type { GuestFile } from "@kgraft/lab";

const etc = path.join(import.meta.dirname, "../etc/usr");

/** The units of systemd and the hooks of initramfs-tools and dracut, as packages lay them out. */
export async function systemFiles(): Promise<readonly GuestFile[]> {
  const names = await readdir(etc, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (source) => ({
      path: `/usr/${path.relative(etc, source)}`,
      source,
      mode: (await stat(source)).mode & 0o777,
    })),
  );
}

/**
 * A live patch of test/modules with its manifest, to be laid into a folder of a guest.
 *
 * @param build bytes behind the module: the same code, and another file
 */
export async function patchFiles(
  kernel: KernelTree,
  module: string,
  folder: string,
  build = "",
): Promise<readonly GuestFile[]> {
  const bytes = Buffer.concat([await readFile(module), Buffer.from(build)]);
  const name = path.basename(module, ".ko");
  const manifest = manifestOf(kernel, name, bytes);
  return [
    { path: `${folder}/${name}.ko`, source: bytes },
    { path: `${folder}/${name}.json`, source: Buffer.from(JSON.stringify(manifest)) },
  ];
}

function manifestOf(
  { release, packageVersion, buildId, compiler }: KernelTree,
  name: string,
  bytes: Uint8Array,
): Manifest {
  return {
    schema: "kgraft-manifest/1",
    name,
    kernel: { release, packageVersion, architecture: "amd64", buildId },
    module: {
      file: `${name}.ko`,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      sizeBytes: bytes.length,
    },
    fixes: [],
    functions: [
      {
        object: "vmlinux",
        name: "version_proc_show",
        sympos: 0,
        unit: "fs/proc/version.c",
        originalSizeBytes: 1,
        replacementSizeBytes: 1,
      },
    ],
    sources: [],
    compiler: compiler.version,
  };
}
