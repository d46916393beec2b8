/** The distribution's own smallest update, planned, built, loaded in a guest, and looked at in a browser. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OpenedChange } from "@kgraft/build";
import { fetchKernel, type KernelTree } from "@kgraft/kernel";
import { bootGuest } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPlan, makePlan, neededBy, type Plan, planPage } from "../src/mod.ts";

const { signal } = new AbortController();
const progress: string[] = [];
const work = {
  signal,
  onProgress: ({
    stage,
    doneBytes,
    totalBytes,
  }: {
    stage: string;
    doneBytes?: number;
    totalBytes?: number;
  }): void => {
    if (stage === "units") progress.push(`${doneBytes} of ${totalBytes}`);
  },
};

describe("the plan of 6.1.192-1 to 6.1.192-2", () => {
  let directory: string;
  let kernel: KernelTree;
  let plan: Plan;
  let opened: OpenedChange;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "kgraft-plan-"));
    kernel = await fetchKernel({ release: "6.1.0-55-cloud-amd64" }, work);
    ({ plan, opened } = await makePlan({ kernel, from: "6.1.192-1", to: "6.1.192-2" }, work));
  });
  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  test("carries the one unit that changed, and the fix that the changelog lists", () => {
    expect(plan.units).toEqual([
      expect.objectContaining({
        unit: "fs/ext4/mballoc.c",
        verdict: "carried",
        ownSource: true,
        reasons: [],
      }),
    ]);
    expect(plan.units[0]?.functions.map(({ name }) => name)).toEqual([
      "ext4_mb_init_group",
      "ext4_mb_load_buddy_gfp",
    ]);
    expect(plan.fixes).toEqual([
      expect.objectContaining({ verdict: "carried", files: ["fs/ext4/mballoc.c"], version: "6.1.192-2" }),
    ]);
    expect(progress).toEqual(["0 of 1", "1 of 1"]);
    expect(neededBy("fs/ext4/mballoc.c", plan.deltas)).toEqual(plan.deltas);
  });

  test("is built into one live patch, which loads and reverts", async () => {
    const built = await buildPlan(plan, opened, directory, signal);
    expect(built?.manifest).toMatchObject({
      name: "kgraft_6_1_192_2",
      fixes: [{ title: expect.stringContaining("ext4") as string }],
    });
    const files = [{ path: "/root/plan.ko", source: built!.modulePath }]; // something is carried
    await using guest = await bootGuest({ kernel, files, timeoutMs: 180_000 });
    const live = "/sys/kernel/livepatch/kgraft_6_1_192_2";
    const { status, stdout } = await guest.run(
      [
        `insmod /root/plan.ko; while [ "$(cat ${live}/transition)" = 1 ]; do sleep 0.1; done`,
        `cat ${live}/enabled; echo 0 >${live}/enabled; while [ -e ${live} ]; do sleep 0.1; done; rmmod kgraft_6_1_192_2`,
      ].join("\n"),
      { timeoutMs: 60_000 },
    );
    expect([status, stdout.trim()]).toEqual([0, "1"]);
    expect(guest.consoleText).not.toMatch(/WARNING|BUG|Oops/);
  });

  test("is a page that works by itself", async () => {
    const page = await planPage(plan, kernel);
    expect(page).not.toMatch(/(?:src|href)=|url\(|@import/);
    // What somebody does there: opens the row and its functions, then looks for what is not there.
    const script = `<script>
      document.querySelector("td > button").click();
      for (const one of document.querySelectorAll("details")) one.open = true;
      setTimeout(() => {
        const box = document.getElementById("text");
        document.body.dataset.before = document.getElementById("count").textContent;
        document.body.dataset.rows = String(document.querySelectorAll(".sides > *").length);
        document.body.dataset.changed = document.querySelector(".sides .new")?.textContent ?? "";
        document.body.dataset.calls = String([...document.querySelectorAll(".sides div")].some((one) => one.textContent.includes("call __filemap_get_folio")));
        box.value = "ext4_mb_init_group mballoc";
        box.dispatchEvent(new Event("input"));
        document.body.dataset.found = document.getElementById("count").textContent;
        box.value = "no such unit";
        box.dispatchEvent(new Event("input"));
        document.body.dataset.after = document.getElementById("count").textContent;
      }, 500);
    </script></body>`;
    const file = join(directory, "page.html");
    await writeFile(
      file,
      page.replace("</body>", () => script),
    );
    const words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"];
    const dom = execFileSync(
      "chromium",
      [...words, `--user-data-dir=${directory}/profile`, `file://${file}`],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        maxBuffer: 2 ** 28,
        timeout: 60_000,
      },
    );
    const body = /<body[^>]*>/.exec(dom)?.[0];
    for (const said of [
      'data-before="1 of 1"',
      'data-found="1 of 1"',
      'data-after="0 of 1"',
      'data-calls="true"',
    ])
      expect(body).toContain(said);
    expect(Number(/data-rows="(\d+)"/.exec(body ?? "")?.[1])).toBeGreaterThan(100);
  });
});

test("a plan from another version than the kernel's own is refused", async () => {
  const kernel = await fetchKernel({ release: "6.1.0-55-cloud-amd64" }, work);
  await expect(makePlan({ kernel, from: "6.1.192-2", to: "6.1.192-1" }, work)).rejects.toThrow(/6\.1\.192-1/);
});
