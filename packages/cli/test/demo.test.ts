import { expect, test } from "vitest";
import { release, runKgraft } from "./kgraft.ts";

test("kgraft demo crashes the stock kernel and keeps the patched one alive", async () => {
  const { code, stdout, stderr } = await runKgraft(["demo", "--install", "--json"]);
  expect(code, `${stderr}${stdout}`).toBe(0);
  const report: unknown = JSON.parse(stdout);
  expect(report).toMatchObject({
    release,
    fix: { from: "6.1.192-1", to: "6.1.192-2", files: [{ path: "fs/ext4/mballoc.c" }] },
    functions: [{ name: "ext4_mb_init_group" }, { name: "ext4_mb_load_buddy_gfp" }],
    control: { crashed: true, function: "ext4_mb_load_buddy_gfp" },
    patched: {
      survived: true,
      redirected: ["ext4_mb_init_group", "ext4_mb_load_buddy_gfp"],
      filesVerified: 12,
      fileSystem: "clean",
      reverted: { patchesLeft: 0, redirected: [] },
    },
  });
  const { title } = (report as { readonly control: { readonly title: string } }).control;
  expect(title).toMatch(/^BUG: kernel NULL pointer dereference/);
});

test("kgraft demo says what the mirror carries instead of a version that is gone", async () => {
  const { code, stderr } = await runKgraft(["demo", "--from", "6.1.1-1", "--to", "6.1.192-2"]);
  expect(stderr).toMatch(/the mirror no longer carries what this shows/);
  expect(stderr).toMatch(/it carries: .*6\.1\.192-1/);
  expect(stderr).toMatch(/kgraft demo --release RELEASE --from VERSION --to VERSION/);
  expect(code).toBe(65);
});
