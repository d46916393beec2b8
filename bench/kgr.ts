/**
 * kgr in a guest of a stock kernel: what `status`, `patches` and `blocking` cost with 100 and with 20,000 tasks,
 * beside `kpatch list` (kpatch's own script) and beside a C program that reads the same files; and how long a live
 * patch takes from `load` to `ready`, beside plain insmod and waiting. A transition goes on all the while for the
 * first, held up by one task, so that there is someone to be found.
 *
 * The guest is emulated: its times mean something only beside each other.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildKgr } from "@kgraft/host/build";
import { bootGuest, type Guest } from "@kgraft/lab";
import { makeModules, testKernel } from "../packages/host/test/guest.ts";
import { commandCosts, costTable } from "./kgr/costs.ts";
import { benchFiles } from "./kgr/files.ts";
import { loadTable, loadTimes } from "./kgr/load.ts";

const { signal } = new AbortController();
const kernel = await testKernel();
const scratch = await mkdtemp(join(tmpdir(), "kgr-bench-"));
const modules = await makeModules(kernel);
try {
  const binary = await buildKgr({ signal });
  const { size } = await stat(binary);
  console.log(`kgr is one static file of ${size} bytes\n`);
  const files = await benchFiles({ binary, modules, scratch });
  await inGuest(async (guest) => {
    for (const tasks of [100, 20_000]) {
      console.log(`${tasks} tasks:\n\n${costTable(await commandCosts(guest, tasks))}\n`);
    }
  });
  await inGuest(async (guest) => {
    console.log(`from load to ready:\n\n${loadTable(await loadTimes(guest))}`);
  });

  async function inGuest(bench: (guest: Guest) => Promise<void>): Promise<void> {
    const guest = await bootGuest({ kernel, files, memoryMib: 3072, timeoutMs: 3_000_000 });
    try {
      await bench(guest);
    } finally {
      await guest.shutdown();
    }
  }
} finally {
  await rm(modules, { recursive: true });
  await rm(scratch, { recursive: true });
}
