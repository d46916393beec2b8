import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootGuest } from "@kgraft/lab";
import { expect, test } from "vitest";
import { buildInitial } from "../src/mod.ts";
import { testKernel } from "./kernel.ts";

test("buildInitial() the kernel takes it, and takes it back", async () => {
  const kernel = await testKernel();
  const directory = await mkdtemp(join(tmpdir(), "kgraft-initial-"));
  try {
    const { signal } = new AbortController();
    const { modulePath, manifest } = await buildInitial({ kernel, directory }, signal);
    expect(manifest).toMatchObject({ name: "kgraft_initial", functions: [], fixes: [] });
    const files = [{ path: "/p/kgraft_initial.ko", source: modulePath }];
    await using guest = await bootGuest({ kernel, files, timeoutMs: 60_000 });
    const patch = "/sys/kernel/livepatch/kgraft_initial";
    const script = `insmod /p/kgraft_initial.ko && cat ${patch}/enabled
      until [ "$(cat ${patch}/transition)" = 0 ]; do usleep 100000; done
      ls ${patch}; echo 0 >${patch}/enabled
      while [ -e ${patch} ]; do usleep 100000; done; rmmod kgraft_initial && echo gone`;
    expect(await guest.run(script, { timeoutMs: 30_000 })).toEqual({
      status: 0,
      stdout: "1\nenabled\nforce\ntransition\ngone\n",
      stderr: "",
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});
