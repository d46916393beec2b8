import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  bootGuest,
  GuestLost,
  GuestPanicked,
  GuestSetupFailed,
  GuestTimedOut,
  type GuestKernel,
  runInGuest,
} from "../src/mod.ts";
import { testKernel } from "./kernel.ts";

// Every way a guest can end: each is told by its name and leaves nothing behind.

let kernel: GuestKernel;
let home: string;
const outerTmpdir = process.env["TMPDIR"];

beforeAll(async () => {
  kernel = await testKernel();
  home = await mkdtemp(join(tmpdir(), "kgraft-lab-test-"));
  process.env["TMPDIR"] = home;
});

afterAll(async () => {
  if (outerTmpdir === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = outerTmpdir;
  await rm(home, { recursive: true });
});

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

/** The processes below ours, by /proc. */
async function children(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await readdir("/proc")) {
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    if (new RegExp(`^PPid:\\s+${process.pid}$`, "m").test(status))
      found.push(/^Name:\s+(.*)$/m.exec(status)?.[1] ?? "");
  }
  return found.filter((name) => /qemu|virtiofsd|setpriv|unshare/.test(name));
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(home)).toEqual([]);
  expect(await children()).toEqual([]);
}

const caught = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

/** How long something took, and what it gave. */
async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now();
  const value = await work();
  return [value, performance.now() - started];
}

const write = (name: string): string => `dd if=/dev/urandom of=/mnt/${name} bs=1024 count=100 && sync`;

test("the ext4 of this kernel crashes: the fault is told while the guest lives on", async () => {
  await using guest = await bootGuest({
    kernel,
    diskSizeBytes: 64 * 1024 * 1024,
    diskFileSystem: "ext4",
    timeoutMs: 60_000,
  });
  const drop = "echo 3 >/proc/sys/vm/drop_caches";
  const job = guest.start(
    `mkdir /mnt; mount -t ext4 /dev/vda /mnt && ${write("a")} && ${drop} && ${write("b")}`,
  );
  const oops = await Promise.race([guest.oops, job.result]);
  expect(oops).toMatchObject({
    kind: "bug",
    title: expect.stringMatching(/^BUG: kernel NULL pointer dereference/) as unknown,
    function: "ext4_mb_load_buddy_gfp",
    task: expect.stringMatching(/^kworker/) as unknown,
    callTrace: expect.arrayContaining([
      "ext4_mb_regular_allocator",
      "ext4_writepages",
      "wb_workfn",
    ]) as unknown,
  });
  expect((await guest.run("echo alive")).stdout).toBe("alive\n");
  expect(await guest.shutdown()).toEqual({ kind: "powered-off" });
  expect(await caught(job.result)).toBeInstanceOf(GuestLost);
  await expectNothingLeft();
});

test("a panic in the middle of run()", async () => {
  await using guest = await bootGuest({ kernel, timeoutMs: 60_000 });
  const other = caught(guest.run("sleep 1000"));
  const [error, timeMs] = await timed(() => caught(guest.run("echo c >/proc/sysrq-trigger; sleep 1000")));
  expect(error).toBeInstanceOf(GuestPanicked);
  expect(String(error)).toMatch(
    /panicked: sysrq triggered crash; its console ended with:\nKernel panic - not syncing/,
  );
  expect(await other).toBeInstanceOf(GuestPanicked);
  expect(await guest.ended).toEqual({ kind: "panicked", message: "sysrq triggered crash" });
  expect(timeMs).toBeLessThan(5000);
  await expectNothingLeft();
});

test("QEMU is killed in the middle of run()", async () => {
  await using guest = await bootGuest({ kernel, share: import.meta.dirname, timeoutMs: 60_000 });
  setTimeout(() => process.kill(guest.processId!, "SIGKILL"), 100); // A booted guest has a process.
  const error = await caught(guest.run("sleep 1000"));
  expect(error).toBeInstanceOf(GuestLost);
  expect(String(error)).toContain("QEMU was ended by SIGKILL");
  expect(await guest.ended).toMatchObject({ kind: "lost" });
  while ((await children()).length > 0) await sleep(20);
  await expectNothingLeft();
});

test("the guest's time is up", async () => {
  const error = await caught(runInGuest({ kernel, command: ["sleep", "1000"], timeoutMs: 6000 }));
  expect(error).toBeInstanceOf(GuestTimedOut);
  expect(String(error)).toContain("6000 ms");
  await expectNothingLeft();
});

test.each([
  { when: "before the start", abortOn: "start" },
  { when: "in the middle of the boot", abortOn: "console" },
  { when: "in the middle of run()", abortOn: "output" },
])("abort $when", async ({ abortOn }) => {
  const controller = new AbortController();
  const reason = new Error("stopped by the test");
  const abort = (where: string): void => {
    if (where === abortOn) controller.abort(reason);
  };
  abort("start");
  const work = runInGuest({
    kernel,
    command: ["sh", "-c", "echo here; sleep 1000"],
    kernelParameters: ["ignore_loglevel"],
    share: import.meta.dirname,
    timeoutMs: 60_000,
    signal: controller.signal,
    onConsole: () => abort("console"),
    onOutput: () => abort("output"),
  });
  expect(await caught(work)).toBe(reason);
  await expectNothingLeft();
});

test("our own process is killed", async () => {
  const script = `
    import { bootGuest } from ${JSON.stringify(join(import.meta.dirname, "../src/mod.ts"))};
    const guest = await bootGuest(${JSON.stringify({ kernel, share: import.meta.dirname, timeoutMs: 60_000 })});
    console.log(guest.processId);
    setTimeout(() => {}, 60_000);`;
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module-typescript", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout!, "data")) as [Buffer]; // stdio says "pipe".
  const processId = Number(line.toString());
  expect(isAlive(processId)).toBe(true);
  child.kill("SIGKILL");
  for (let tries = 0; isAlive(processId) && tries < 100; tries++) await sleep(20);
  expect(isAlive(processId)).toBe(false);
  await expectNothingLeft();
});

test("runInGuest() gives the command's own status, each argument one word", async () => {
  const command = [
    "sh",
    "-c",
    'printf "<%s>" "$@"; echo err >&2; exit 7',
    "sh",
    "two words",
    "$HOME",
    "it's",
  ];
  const result = await runInGuest({ kernel, command, timeoutMs: 60_000 });
  expect(result).toMatchObject({
    status: 7,
    stdout: "<two words><$HOME><it's>",
    stderr: "err\n",
    oops: null,
  });
  await expectNothingLeft();
});

test("runInGuest() inserts module files in their order", async () => {
  const load = ["fat", "vfat"].map((name) => join(kernel.modulesDirectory, `kernel/fs/fat/${name}.ko`));
  const result = await runInGuest({
    kernel,
    command: ["grep", "-c", "fat ", "/proc/modules"],
    load,
    timeoutMs: 60_000,
  });
  expect(result).toMatchObject({ status: 0, stdout: "2\n" });
});

test("runInGuest() says why the kernel refuses a module", async () => {
  const module = join(home, "torn.ko");
  await writeFile(module, "\x7fELF and no more");
  const error = await caught(runInGuest({ kernel, command: ["true"], load: [module], timeoutMs: 60_000 }));
  await rm(module);
  expect(error).toBeInstanceOf(GuestSetupFailed);
  expect(String(error)).toContain("torn.ko");
  await expectNothingLeft();
});

test("an image that is no kernel", async () => {
  const image = join(home, "image");
  await writeFile(image, "no kernel");
  const error = await caught(bootGuest({ kernel: { ...kernel, image }, timeoutMs: 60_000 }));
  await rm(image);
  expect(error).toBeInstanceOf(GuestLost);
  expect(String(error)).toMatch(/QEMU exited with 1 and said: .*kernel/);
  await expectNothingLeft();
});
