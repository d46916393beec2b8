/**
 * Some units are compiled from files that the build makes first (`lib/crc32table.h` by a program of its own,
 * `crypto/rsapubkey.asn1.c` by a compiler of ASN.1), and no package carries them. kbuild's dry run says which
 * (`make --debug=b` announces every target that it would remake); here they are made for real, by the rules of
 * their own directories, while the tree is still being prepared.
 */
import { rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { cleanEnvironment, run } from "./run.ts";
import { type KernelRecord, makeArguments } from "./tree.ts";

/** The source file that a line of `make -n --debug=b` announces; undefined for all other lines. */
export function parseRemade(line: string): string | undefined {
  const path = /^ *Must remake target '(?:\.\/)?([^']+)'\.$/.exec(line)?.[1];
  if (path === undefined || path === "certs/blacklist_hash_list") return path;
  // Shipped with the headers package, made already, or made from a whole linked part of the kernel.
  const others = /(^|\/)(include\/generated|scripts|tools|vdso\w*|realmode|boot|certs)\/|^\.|^init\//;
  return /\.(c|h|inc)$/.test(path) && !others.test(path) ? path : undefined;
}

/** Makes these files in the tree. What cannot be made is left out: only its own units miss it. */
export async function makeGenerated(
  kernel: Pick<KernelRecord, "release" | "architecture" | "compiler">,
  sourceDirectory: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  // The top Makefile exports what directories' rules need, but has no goal for such files: a goal is added.
  const rules = [...Map.groupBy(paths, (path) => dirname(path))].map(
    ([directory, targets]) => `\t+-@$(MAKE) $(build)=${directory} ${targets.join(" ")}\n`,
  );
  const makefile = `${sourceDirectory}/.kgraft-generated.mk`;
  await writeFile(
    makefile,
    `include Makefile\n.PHONY: kgraft-generated\nkgraft-generated:\n${rules.join("")}`,
  );
  // What the top Makefile's first run of itself leaves for the second: since 6.13 all four.
  const here = sourceDirectory;
  const top = { sub_make_done: "1", abs_srctree: here, abs_objtree: here, srcroot: here, objtree: here };
  try {
    const args = ["-rR", "--no-print-directory", "-s", "-k", "-f", makefile, ...makeArguments(kernel)];
    await run("make", [...args, "kgraft-generated"], {
      cwd: sourceDirectory,
      env: { ...cleanEnvironment(), ...top },
      signal,
      okCodes: [0, 2],
    });
  } finally {
    await rm(makefile, { force: true });
  }
}
