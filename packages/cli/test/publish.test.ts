/** docs/publish.md: from a fix to a guest that plain apt has patched, by the five commands as they stand there. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { fetchKernel } from "@kgraft/kernel";
import { bootGuest, makeDebianRoot, openRootDisk } from "@kgraft/lab";
import { beforeAll, expect, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const release = "6.1.0-55-cloud-amd64";
const { signal } = new AbortController();
const fix = `--- a/fs/proc/version.c
+++ b/fs/proc/version.c
@@ -10,3 +10,5 @@
 static int version_proc_show(struct seq_file *m, void *v)
 {
+	/* the fix of this test */
+	seq_puts(m, "patched: ");
 	seq_printf(m, linux_proc_banner,
`;

let commands: readonly string[] = [];

beforeAll(async () => {
  const text = await readFile(join(root, "docs/publish.md"), "utf8");
  const [, block = ""] = text.split("<!-- the five commands -->");
  commands =
    block
      .match(/^ {4}.*$/gm)
      ?.slice(0, 5)
      .map((line) => line.trim()) ?? [];
});

test("docs/publish.md leads from a fix to a patched machine in five commands", async () => {
  expect(commands).toHaveLength(5);
  const home = await mkdtemp(join(tmpdir(), "kgraft-publish-"));
  onTestFinished(() => rm(home, { recursive: true }));
  await writeFile(join(home, "fix.patch"), fix);
  const env = { ...process.env, PATH: [root, process.env["PATH"]].join(delimiter) };
  // As the demonstration leaves it: the kernel is there.
  const kernel = await fetchKernel({ release }, { onProgress: () => {}, signal });
  const here = commands.slice(0, 4);
  for (const command of here) {
    await promisify(execFile)("sh", ["-c", command], { cwd: home, env });
  }
  await mkdir(join(home, "repository"), { recursive: true });

  const packages = [`linux-image-${release}`, "kmod", "rpm", "wget"];
  using disk = await openRootDisk(await makeDebianRoot({ packages, signal }));
  await using guest = await bootGuest({
    kernel,
    root: { disk, init: "none" },
    modules: ["overlay"],
    // An initramfs takes minutes to make here; that one of ours loads live patches is tried in packages/host/test.
    files: [
      {
        path: "/etc/initramfs-tools/update-initramfs.conf",
        source: Buffer.from("update_initramfs=no\nbackup_initramfs=no\n"),
      },
    ],
    share: join(home, "repository"),
    memoryMib: 1024,
    timeoutMs: 900_000,
  });
  const run = async (command: string): ReturnType<typeof guest.run> =>
    guest.run(command, { timeoutMs: 400_000 });
  // The web server, on the guest's own loopback; Debian's mirrors are out of reach from there.
  await run(
    "/run/lab/bin/busybox ifconfig lo 127.0.0.1 up; echo 127.0.0.1 patches.example.org >>/etc/hosts; : >/etc/apt/sources.list",
  );
  await run("/run/lab/bin/busybox httpd -h /share -p 127.0.0.1:80");
  const installed = await run(commands[4]!); // there are five
  expect(installed.status === 0 ? "" : installed.stderr).toBe("");
  expect(await run("kgr status; kgr patches; cat /proc/version")).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^ready\nkgraft_patch_2_1\npatched: Linux version 6\.1\.0-55/) as string,
  });
  expect((await run("kgr -v patches")).stdout).toContain(`RPM: kgraft-patch-${release}-2-1.amd64`);
});
