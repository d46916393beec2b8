import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootGuest, type Guest, GuestBusy, GuestCommandTimedOut } from "../src/mod.ts";
import { testKernel } from "./kernel.ts";

// One guest for all that leaves it as it was.

let home: string;
let guest: Guest;
const console: string[] = [];

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
const loop = (name: string): string => `for i in $(seq 300); do echo ${name}; echo ${name} >&2; done`;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kgraft-lab-test-"));
  await mkdir(join(home, "share"));
  await writeFile(join(home, "share/from-host"), "written by the host\n");
  await writeFile(join(home, "tool"), "#!/bin/sh\necho tool $1\n");
  guest = await bootGuest({
    kernel: await testKernel(),
    modules: ["vfat"],
    files: [
      { path: "/opt/deep/tool", source: join(home, "tool"), mode: 0o755 },
      { path: "/etc/words", source: Buffer.from("one two") },
    ],
    share: join(home, "share"),
    diskSizeBytes: 64 * 1024 * 1024,
    diskFileSystem: "ext4",
    timeoutMs: 120_000,
    onConsole: (line) => console.push(line),
  });
});

afterAll(async () => {
  await guest?.kill();
  await rm(home, { recursive: true });
});

describe("run()", () => {
  test.each([
    { command: "true", status: 0, stdout: "", stderr: "" },
    { command: "echo out; echo err >&2; exit 7", status: 7, stdout: "out\n", stderr: "err\n" },
    { command: "printf 'no newline'", status: 0, stdout: "no newline", stderr: "" },
    { command: "printf 'größer €'; exit 255", status: 255, stdout: "größer €", stderr: "" },
    { command: "kill -KILL $$", status: 128 + 9, stdout: "", stderr: "" },
    { command: "kill -INT $$; echo survived", status: 128 + 2, stdout: "", stderr: "" },
    {
      command: "echo again > /dev/stderr; echo more >> /dev/stdout",
      status: 0,
      stdout: "more\n",
      stderr: "again\n",
    },
    {
      command: "if true",
      status: 2,
      stdout: "",
      stderr: expect.stringMatching(/unexpected end of file/) as unknown,
    },
    {
      command: "no-such-program",
      status: 127,
      stdout: "",
      stderr: expect.stringMatching(/not found/) as unknown,
    },
    { command: "cat /etc/words", status: 0, stdout: "one two", stderr: "" },
    { command: "/opt/deep/tool x", status: 0, stdout: "tool x\n", stderr: "" },
    { command: "uname -r", status: 0, stdout: "6.1.0-55-cloud-amd64\n", stderr: "" },
    { command: "cat", status: 0, stdout: "", stderr: "" },
  ])("$command", async ({ command, status, stdout, stderr }) => {
    const result = await guest.run(command, { timeoutMs: 10_000 });
    expect(result).toEqual({ status, stdout, stderr });
  });

  test("takes a script of 300 KB", async () => {
    const words = Array.from({ length: 30_000 }, (_, index) => `word${index}`).join(" ");
    const result = await guest.run(`for w in ${words}; do last=$w; done; echo $last`);
    expect(result.stdout).toBe("word29999\n");
  });

  test("gives 4 MB of output as they were, on both streams", async () => {
    const make =
      "head -c 1500000 /dev/urandom | base64 >/tmp/big; tee /dev/stderr </tmp/big; sha256sum </tmp/big >/tmp/sum";
    const { stdout, stderr } = await guest.run(make);
    const sum = (await guest.run("cut -d' ' -f1 /tmp/sum; rm /tmp/big /tmp/sum")).stdout.trim();
    expect(stdout.length).toBeGreaterThan(2_000_000);
    expect([hash(stdout), hash(stderr)]).toEqual([sum, sum]);
  });

  test("tells output while the command runs", async () => {
    const told: string[] = [];
    const waiting = Promise.withResolvers<void>();
    const done = guest.run("echo first; until [ -e /tmp/go ]; do sleep 0.1; done", {
      onOutput: (text, stream) => {
        told.push(`${stream} ${text.trim()}`);
        waiting.resolve();
      },
    });
    await waiting.promise;
    expect(told).toEqual(["stdout first"]);
    await guest.run("touch /tmp/go");
    await done;
  });

  test("several at the same time do not mix", async () => {
    const names = ["a", "b", "c", "d"];
    const results = await Promise.all(names.map((name) => guest.run(loop(name))));
    for (const [index, name] of names.entries()) {
      const text = `${name}\n`.repeat(300);
      expect(results[index]).toEqual({ status: 0, stdout: text, stderr: text });
    }
  });

  test("past its time limit: the command and its children are killed, the guest lives on", async () => {
    const error: unknown = await guest
      .run("sleep 1234 & sleep 1234", { timeoutMs: 300 })
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(GuestCommandTimedOut);
    expect(
      (
        await guest.run(
          "for i in $(seq 100); do ps -o args | grep -q '^sleep 1234' || exit 3; sleep 0.01; done",
        )
      ).status,
    ).toBe(3);
  });
});

// A device without a driver answers as a port does whose file is there before the kernel knows it (ENXIO).
test("a port that cannot be opened yet is opened later", async () => {
  const request = "echo served >&2; kill -KILL $PPID";
  const result = await guest.run(
    `cd /tmp; mknod port c 60 0; mkfifo later errors
/run/lab/serve /tmp/port /tmp/errors & sleep 0.3; mv later port
printf '%s\n%s' 'token ${request.length}' '${request}' >port & cat errors; rm port errors`,
    { timeoutMs: 20_000 },
  );
  expect(result.stdout).toBe("served\n");
});

test("start() stop() ends all of a job and gives what it wrote", async () => {
  const job = guest.start("sleep 4321 & while :; do echo tick; sleep 0.05; done");
  while (!job.output.stdout.includes("tick\ntick\n")) await sleep(20);
  const result = await job.stop();
  expect(result.status).toBe(128 + 15);
  expect(result.stdout).toBe(job.output.stdout);
  expect((await guest.run("ps -o args | grep '^sleep 4321'")).status).toBe(1);
});

test("start() stop() kills a job that ignores SIGTERM", async () => {
  const job = guest.start("trap '' TERM; echo up; while :; do sleep 1; done");
  while (job.output.stdout === "") await sleep(20);
  expect((await job.stop()).status).toBe(128 + 9);
});

test("start() refuses the ninth job, and takes it when one has ended", async () => {
  const jobs = Array.from({ length: 8 }, () => guest.start("sleep 1000"));
  expect(() => guest.start("true")).toThrow(GuestBusy);
  await Promise.all(jobs.map((job) => job.stop()));
  expect((await guest.run("true")).status).toBe(0);
});

describe("bootGuest()", () => {
  test("share: both see what the other writes, at once", async () => {
    expect((await guest.run("cat /share/from-host")).stdout).toBe("written by the host\n");
    await guest.run("mkdir /share/made && echo written by the guest >/share/made/file");
    expect(await readFile(join(home, "share/made/file"), "utf8")).toBe("written by the guest\n");
    await writeFile(join(home, "share/later"), "later\n");
    await chmod(join(home, "share/later"), 0o600);
    expect((await guest.run("cat /share/later; rm /share/later")).stdout).toBe("later\n");
    expect(await readdir(join(home, "share"))).not.toContain("later");
  });

  test("disk: ext4 of the size that was asked for, writable", async () => {
    const script =
      "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && echo kept >/mnt/f && umount /mnt && mount /dev/vda /mnt";
    const result = await guest.run(`${script} && cat /mnt/f && umount /mnt && blockdev --getsize64 /dev/vda`);
    expect(result).toEqual({ status: 0, stdout: `kept\n${64 * 1024 * 1024}\n`, stderr: "" });
  });

  test("modules: loaded with what they need", async () => {
    const { stdout } = await guest.run("lsmod | cut -d' ' -f1");
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(["vfat", "fat"]));
  });

  test("console: the kernel's log and nothing else", async () => {
    await guest.run("echo '<4>lab: said aloud' >/dev/kmsg; echo quiet");
    while (!guest.consoleText.includes("lab: said aloud")) await sleep(20);
    expect(guest.consoleText).not.toContain("quiet");
    expect(console.some((line) => line.endsWith("lab: said aloud"))).toBe(true);
  });

  test("no network", async () => {
    expect((await guest.run("ls /sys/class/net")).stdout).toBe("lo\n");
  });
});

test("shutdown() powers off", async () => {
  expect(await guest.shutdown()).toEqual({ kind: "powered-off" });
});
