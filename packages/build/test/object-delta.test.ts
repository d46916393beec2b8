/** What `kgraft delta` writes, made into a module and loaded into the stock kernel. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, readObject } from "@kgraft/elf";
import { compileUnit, type KernelTree, withElfFile } from "@kgraft/kernel";
import { bootGuest } from "@kgraft/lab";
import { expect, test } from "vitest";
import { shadowTree } from "../../kernel/test/shadow-tree.ts";
import { objectDelta, parseSymvers, tableOfImage } from "../src/engine.ts";
import { glueObject } from "../src/module/glue.ts";
import { finishModule, joinModule } from "../src/module/module.ts";
import { ShippedKernel } from "../src/shipped/shipped-kernel.ts";
import { testKernel } from "./kernel.ts";
import { settled } from "./settled.ts";

const { signal } = new AbortController();

/** A module of what the engine alone gives for a change of one unit. */
async function moduleOfObjects(kernel: KernelTree, directory: string): Promise<string> {
  const unit = "fs/proc/cmdline.c";
  const root = join(directory, "shadow");
  const shadow = await shadowTree(kernel.sourceDirectory, root);
  await shadow.replace(unit, (text) =>
    text.replace("seq_putc(m, '\\n');", 'seq_puts(m, " of two objects\\n");'),
  );
  const [before, after] = await Promise.all(
    [{}, { root }].map((where) => compileUnit(kernel, { unit, sections: "split", ...where }, { signal })),
  );
  const bytesOf = async (path: string): Promise<{ name: string; bytes: Buffer }> => ({
    name: path,
    bytes: await readFile(path),
  });
  const { bytes, functions } = objectDelta({
    original: await bytesOf(before!.objectPath), // both were compiled
    patched: await bytesOf(after!.objectPath),
    object: "vmlinux",
    table: withElfFile(kernel.vmlinux, "vmlinux", tableOfImage),
    exports: parseSymvers(await readFile(kernel.moduleSymvers, "utf8")),
  });
  // From the file alone, as whoever links it has it.
  const object = readObject(bytesSource("out.o", bytes));
  const patched = functions.map((replaced) => ({
    ...replaced,
    symbol: object.symbols.find(({ name }) => name === replaced.name)!, // the object holds what it replaces
  }));
  const name = "of_objects";
  const joined = joinModule(
    {
      name,
      glue: await glueObject(kernel, signal),
      deltas: [{ object, livepatchReferences: new Map() }],
      patched: [{ name: "vmlinux", functions: patched, callbacks: new Map() }],
      states: [],
    },
    new ShippedKernel(kernel, new Map()),
  );
  const path = join(directory, `${name}.ko`);
  await writeFile(path, finishModule(joined));
  return path;
}

test("a module of what kgraft delta writes takes effect and reverts", async () => {
  const kernel = await testKernel();
  const directory = await mkdtemp(join(tmpdir(), "kgraft-object-delta-"));
  const source = await moduleOfObjects(kernel, directory);
  const guest = await bootGuest({
    kernel,
    files: [{ path: "/root/of_objects.ko", source }],
    timeoutMs: 90_000,
  });
  const run = async (command: string): Promise<string> => {
    const { status, stdout, stderr } = await guest.run(command, { timeoutMs: 60_000 });
    expect([status, stderr]).toEqual([0, ""]);
    return stdout.trim();
  };
  try {
    await run(`insmod /root/of_objects.ko; ${settled("of_objects")}`);
    expect(await run("cat /proc/cmdline")).toMatch(/ of two objects$/);
    await run(`echo 0 >/sys/kernel/livepatch/of_objects/enabled; ${settled("of_objects")}; rmmod of_objects`);
    expect(await run("cat /proc/cmdline")).not.toContain("of two objects");
    expect(guest.consoleText).not.toMatch(/WARNING|BUG|Oops|invalid|failed to/);
  } finally {
    await guest.shutdown();
    await rm(directory, { recursive: true });
  }
});
