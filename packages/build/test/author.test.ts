/** What authors write beside functions (linux/kgraft.h): the examples, played, and what contradicts itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { example as callback } from "../../../examples/callback/example.ts";
import { play } from "../../../examples/example.ts";
import { example as header } from "../../../examples/header/example.ts";
import { example as shadowVariable } from "../../../examples/shadow-variable/example.ts";
import { example as state } from "../../../examples/state/example.ts";
import { example as systemCall } from "../../../examples/system-call/example.ts";
import { ChangeRefused } from "../src/mod.ts";
import { buildEdits, type Edit, testKernel } from "./kernel.ts";

test.each(Object.entries({ callback, header, shadowVariable, state, systemCall }))(
  "the example %s does what it says",
  async (_, example) => {
    const lines: string[] = [];
    await play(example, (line) => lines.push(line));
    expect(lines.filter((line) => line.startsWith("guest# ")).length).toBe(example.scenario.length);
  },
);

describe("declarations that contradict each other", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "kgraft-test-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const declare = (path: string, declaration: string): Edit => ({
    path,
    find: "#include <linux/seq_file.h>",
    replace: `#include <linux/seq_file.h>\n#include <linux/kgraft.h>\n${declaration}`,
  });
  const post =
    'static void done(struct klp_object *obj) { pr_info("kgraft: done\\n"); }\nKGRAFT_POST_PATCH(done);';

  test.each<[title: string, edits: readonly Edit[], code: string]>([
    [
      "two callbacks of one kind",
      [declare("fs/proc/cmdline.c", post), declare("fs/proc/version.c", post)],
      "two-callbacks",
    ],
    [
      "two versions of a state",
      [
        declare("fs/proc/cmdline.c", `KGRAFT_STATE(7, 1);\n${post}`),
        declare("fs/proc/version.c", "KGRAFT_STATE(7, 2);"),
      ],
      "bad-state",
    ],
    ["a state without a number", [declare("fs/proc/cmdline.c", `KGRAFT_STATE(0, 1);\n${post}`)], "bad-state"],
  ])("refuses %s", async (_, edits, code) => {
    const attempt = buildEdits(await testKernel(), directory, "refused", edits);
    await expect(attempt).rejects.toBeInstanceOf(ChangeRefused);
    await expect(attempt).rejects.toMatchObject({ reasons: [{ code }] });
  });
});
