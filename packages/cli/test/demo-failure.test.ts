import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "@kgraft/build";
import { fetchKernel } from "@kgraft/kernel";
import { expect, test } from "vitest";
import { makeBoard } from "../src/board.ts";
import type { Context } from "../src/context.ts";
import { runPatched } from "../src/demo/patched.ts";
import { buildKgr } from "../src/machine/kgr-builder.ts";
import { makeStyle } from "../src/style.ts";
import { release, scratch, writePatch } from "./kgraft.ts";

const { signal } = new AbortController();
const quiet = { write: (): void => {} };
const style = makeStyle(false);
const context: Context = {
  process: { stdout: quiet, stderr: quiet },
  board: makeBoard(quiet, quiet, style),
  style,
  columns: 80,
  signal,
  status: 0,
};

// The demonstration is worth nothing if it could not fail: here the patch repairs something else.
test("runPatched() fails where the patched kernel does not survive", async () => {
  await using directory = await scratch();
  const kernel = await fetchKernel({ release }, { onProgress: () => {}, signal });
  const path = await writePatch(directory.path, "fs/proc/cmdline.c", (text) =>
    text.replace(
      "seq_puts(m, saved_command_line);",
      'seq_puts(m, saved_command_line);\n\tseq_puts(m, " patched");',
    ),
  );
  const patches = [{ name: "other.patch", text: await readFile(path, "utf8") }];
  const livePatch = await build(
    { kernel, patches, name: "other", directory: join(directory.path, "out") },
    { onProgress: () => {}, signal },
  );
  const seen: string[] = [];
  const run = runPatched({ kernel, livePatch, kgr: await buildKgr({ signal }) }, context, {
    redirected: (functions) => void seen.push(...functions),
    survived: () => void seen.push("survived"),
    reverted: () => void seen.push("reverted"),
  });
  await expect(run).rejects.toMatchObject({
    name: "DemoFailed",
    message: expect.stringMatching(
      /^the patched kernel did not survive: BUG: .* in ext4_mb_load_buddy_gfp$/,
    ) as unknown,
  });
  expect(seen).toEqual(["cmdline_proc_show"]);
});
