/** Same inputs, same bytes: with the kernel at another path, nothing compiled before, on another day, elsewhere. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { cacheDirectory, fetchKernel } from "@kgraft/kernel";
import { expect, test } from "vitest";
import { release, scratch, writePatch } from "./kgraft.ts";

const run = promisify(execFile);
const program = resolve(import.meta.dirname, "../../../kgraft");

test("kgraft build gives equal bytes at another path, on another day, in another zone", async () => {
  await fetchKernel({ release }, { onProgress: () => {}, signal: new AbortController().signal });
  await using directory = await scratch();
  const patch = await writePatch(directory.path, "fs/proc/cmdline.c", (text) =>
    text.replace("seq_putc(m, '\\n');", 'WARN_ON(!m->size);\n\tseq_puts(m, " reproduced\\n");'),
  );
  // Links to the same files; what is compiled is left behind.
  const kernels = join(directory.path, "elsewhere/kernels");
  await mkdir(kernels, { recursive: true });
  await run("cp", ["--archive", "--link", join(cacheDirectory(), "kernels", release), kernels]).catch(() =>
    run("cp", ["--archive", "--reflink=auto", join(cacheDirectory(), "kernels", release), kernels]),
  );
  for (const compiled of ["objects", "glue"])
    await rm(join(kernels, release, compiled), { recursive: true, force: true });

  const build = (output: string, launcher: readonly string[], env: NodeJS.ProcessEnv): Promise<unknown> =>
    run("env", [...launcher, program, "build", "--kernel", release, patch, "--name", "again", "-o", output], {
      cwd: directory.path,
      env: { ...process.env, ...env },
    });
  await mkdir(join(directory.path, "here"));
  await mkdir(join(directory.path, "there"));
  await build("here", [], {});
  await build("there", ["faketime", "2031-02-03 04:05:06"], {
    KGRAFT_CACHE: join(directory.path, "elsewhere"),
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    TZ: "Asia/Taipei",
    LC_ALL: "C.UTF-8",
  });
  for (const name of ["again.ko", "again.json"]) {
    const [here, there] = await Promise.all(
      ["here", "there"].map((side) => readFile(join(directory.path, side, name))),
    );
    expect(there).toEqual(here);
  }
});
