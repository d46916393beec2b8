import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fetchKernel } from "@kgraft/kernel";
import { beforeAll, describe, expect, test } from "vitest";
import { programsWithout, release, runKgraft, scratch, writePatch } from "./kgraft.ts";

// ./kgraft as a user types it.

beforeAll(async () => {
  await fetchKernel({ release }, { onProgress: () => {}, signal: new AbortController().signal });
});

const mballoc = "fs/ext4/mballoc.c";

/** A diff by hand, for files that need not be there. */
function handmade(path: string): string {
  return `--- a/${path}\n+++ b/${path}\n@@ -1,1 +1,1 @@\n-this is not what stands there\n+this neither\n`;
}

const misuse: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ["a misspelt command", ["biuld"], 64, /did you mean build\?/],
  [
    "an unknown release",
    ["kernel", "fetch", "6.1.0-55-clod-amd64"],
    65,
    /near names: .*6\.1\.0-55-cloud-amd64/s,
  ],
  [
    "a release that is not fetched",
    ["build", "--kernel", "6.1.0-1-none", "x.patch"],
    69,
    /kgraft kernel fetch 6\.1\.0-1-none/,
  ],
  [
    "a version that the mirror does not carry",
    ["diff", "--from", "6.1.1-1", "--to", "6.1.192-1"],
    65,
    /take one of these versions: /,
  ],
  [
    "a diff that is not there",
    ["build", "--kernel", release, "/nowhere/x.patch"],
    65,
    /cannot read \/nowhere\/x\.patch: it is not there\n +name a unified diff/,
  ],
  [
    "a diff that is a directory",
    ["build", "--kernel", release, "/tmp"],
    65,
    /cannot read \/tmp: it is a directory/,
  ],
];
test.each(misuse)("kgraft refuses %s", async (_, args, code, message) => {
  const finished = await runKgraft(args);
  expect(finished.stderr).toMatch(message);
  expect(finished).toMatchObject({ code, stdout: "" });
});

const badDiffs: readonly (readonly [string, string, number, RegExp])[] = [
  ["does not apply", handmade(mballoc), 65, /does not fit the text there/],
  ["is none", "hello\n", 65, /give a unified diff/],
  ["touches only documentation", handmade("Documentation/admin-guide/ext4.rst"), 65, /is in no unit/],
  ["touches only assembly", handmade("arch/x86/entry/entry_64.S"), 2, /assembly or a linker script/],
  ["touches only Kconfig", handmade("fs/ext4/Kconfig"), 2, /the kernel's configuration or build/],
  ["leads out of the tree", handmade("../../etc/passwd.c"), 65, /wanted a path below the kernel's tree/],
];
test.each(badDiffs)("kgraft build refuses a diff that %s", async (_, diff, code, message) => {
  await using directory = await scratch();
  const patch = join(directory.path, "x.patch");
  await writeFile(patch, diff);
  const output = join(directory.path, "out");
  const finished = await runKgraft(["build", "--kernel", release, patch, "-o", output]);
  expect(finished.stderr).toMatch(message);
  expect(finished).toMatchObject({ code, stdout: "" });
  expect(await readdir(directory.path)).toEqual(["x.patch"]);
});

describe("kgraft build", () => {
  test("refuses what no live patch can carry, with reason and hint", async () => {
    await using directory = await scratch();
    const patch = await writePatch(directory.path, mballoc, (text) =>
      text.replace(
        "int __init ext4_init_mballoc(void)\n{",
        "int __init ext4_init_mballoc(void)\n{\n\tif (nr_cpu_ids == 12345)\n\t\treturn -ENOMEM;",
      ),
    );
    const { code, stdout } = await runKgraft([
      "build",
      "--kernel",
      release,
      patch,
      "-o",
      directory.path,
      "--json",
    ]);
    const { error } = JSON.parse(stdout) as {
      readonly error: { readonly reasons: readonly { readonly subject: string }[] };
    };
    expect(code).toBe(2);
    expect(error).toMatchObject({ name: "ChangeRefused", exitCode: 2 });
    expect(error.reasons.map(({ subject }) => subject)).toContain("ext4_init_mballoc");
    expect((await readdir(directory.path)).filter((name) => /\.(ko|json)$/.test(name))).toEqual([]);
  });

  test("tells a change that changes nothing", async () => {
    await using directory = await scratch();
    const patch = await writePatch(directory.path, mballoc, (text) => `${text}\n/* a remark */\n`);
    const { code, stderr } = await runKgraft(["build", "--kernel", release, patch, "-o", directory.path]);
    expect(stderr).toMatch(/compile to the same code/);
    expect(code).toBe(3);
  });

  test("makes a module and a manifest that says what the command says, from the distribution's own fix", async () => {
    await using directory = await scratch();
    const diff = await runKgraft(["diff", "--from", "6.1.192-1", "--to", "6.1.192-2", mballoc]);
    const patch = join(directory.path, "fix.patch");
    await writeFile(patch, diff.stdout);
    const args = ["build", "--kernel", release, patch, "-o", directory.path, "--name", "cli_test"];
    const { code, stdout } = await runKgraft([...args, "--fix", "CVE-2026-1=a, b = c", "--json"]);
    expect(code).toBe(0);
    const { manifest } = JSON.parse(stdout) as { readonly manifest: object };
    expect(JSON.parse(await readFile(join(directory.path, "cli_test.json"), "utf8"))).toEqual(manifest);
    expect(manifest).toMatchObject({
      name: "cli_test",
      fixes: [{ id: "CVE-2026-1", title: "a, b = c" }],
      functions: [{ name: "ext4_mb_init_group" }, { name: "ext4_mb_load_buddy_gfp" }],
    });
  });
});

describe("kgraft lab run", () => {
  const inGuest = (script: string, ...options: readonly string[]): ReturnType<typeof runKgraft> =>
    runKgraft(["lab", "run", "--kernel", release, ...options, "--", "sh", "-c", script]);

  test("passes output and exit status on", async () => {
    expect(await inGuest("uname -r; echo trouble >&2; exit 7")).toEqual({
      code: 7,
      stdout: `${release}\n`,
      stderr: "trouble\n",
    });
  });

  test("brings kgr along", async () => {
    expect(await runKgraft(["lab", "run", "--kernel", release, "--", "kgr", "status"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\bready\b/) as unknown,
      stderr: "",
    });
  });

  test("runs without kgr where there is no compiler to build it, and says so", async () => {
    await using directory = await scratch();
    const PATH = await programsWithout(directory.path, /^musl-gcc$/);
    const args = ["lab", "run", "--kernel", release, "--", "sh", "-c", "uname -r; ! command -v kgr"];
    const { code, stdout, stderr } = await runKgraft(args, { PATH });
    expect(stderr).toMatch(/^kgraft: the guest has no kgr: .*musl-gcc.*\n$/);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${release}\n` });
  });

  test("gives the guest what is asked for", async () => {
    await using directory = await scratch();
    const script = "nproc; cat /sys/block/vda/size; echo written > /share/file";
    const options = ["--cpus", "1", "--disk", "8M", "--memory", "256M", "--share", directory.path, "--json"];
    const { code, stdout } = await inGuest(script, ...options);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: 0, stdout: "1\n16384\n", oops: null });
    expect(await readFile(join(directory.path, "file"), "utf8")).toBe("written\n");
  });

  test("ends a guest at its time limit with 124", async () => {
    const { code, stderr } = await inGuest("sleep 1000", "--timeout", "6s");
    expect(stderr).toMatch(/time limit of 6000 ms is over/);
    expect(code).toBe(124);
  });

  test("tells a panic with 126", async () => {
    const { code, stderr } = await inGuest("echo c > /proc/sysrq-trigger");
    expect(stderr).toMatch(/kernel panicked: sysrq triggered crash/);
    expect(code).toBe(126);
  });

  test("refuses a module that is none, before it boots", async () => {
    await using directory = await scratch();
    const module = join(directory.path, "cut.ko");
    await writeFile(module, "\x7fELF");
    // Sooner over than any guest is up.
    const { code, stderr } = await inGuest("true", "--load", module, "--timeout", "1ms");
    expect(stderr).toMatch(/cannot load .*cut\.ko: it is damaged or cut off/);
    expect(code).toBe(65);
  });

  test("refuses a module that is not there", async () => {
    const { code, stderr } = await inGuest("true", "--load", "/nowhere/x.ko");
    expect(stderr).toMatch(/cannot read \/nowhere\/x\.ko: it is not there\n +name a module/);
    expect(code).toBe(65);
  });
});

test.each([
  [
    ["kernel", "list"],
    { kernels: expect.arrayContaining([expect.objectContaining({ release })]) as unknown },
  ],
  [["kernel", "fetch", release], { release, packageVersion: "6.1.192-1" }],
  [["doctor"], { install: null, system: { supported: true } }],
  [["diff", "--from", "6.1.192-1", "--to", "6.1.192-2"], { files: [{ path: mballoc }] }],
] as const)("kgraft %j --json is one document", async (args, wanted) => {
  const { code, stdout } = await runKgraft([...args, "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject(wanted);
});
