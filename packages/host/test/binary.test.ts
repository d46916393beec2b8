/** The real binary, in a mount namespace where /sys/kernel is a directory tree of ours. Nothing is loaded. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { buildKgr, machineRequirements } from "../build/mod.ts";
import { debianMirrors } from "../build/mirrors.ts";
import { livePatchFiles, makeMachine } from "./machine.ts";

const { signal } = new AbortController();
let binary = "";

beforeAll(async () => {
  binary = await buildKgr({ signal });
});

interface Result {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function kgr(command: string, files: Readonly<Record<string, string>>): Promise<Result> {
  const { root } = makeMachine({ "/sys/kernel/livepatch/.keep": "", ...files });
  const script = `mount --bind '${root}/sys/kernel' /sys/kernel && ${command}`;
  const env = { PATH: `${path.dirname(binary)}:${process.env["PATH"]}` };
  try {
    const { stdout, stderr } = await promisify(execFile)("unshare", ["-rm", "sh", "-c", script], { env });
    return { status: 0, out: stdout, err: stderr };
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string };
    return { status: failed.code, out: failed.stdout, err: failed.stderr };
  }
}

test("buildKgr() makes one static file below 2 MB, and makes it once", async () => {
  expect((await stat(binary)).size).toBeLessThan(2_000_000);
  const { stdout } = await promisify(execFile)("readelf", ["-lW", binary]);
  expect(stdout).not.toContain("INTERP");
  const told: unknown[] = [];
  expect(await buildKgr({ signal, onProgress: (progress) => told.push(progress) })).toBe(binary);
  expect(told).toEqual([]);
});

test("buildKgr() makes the same bytes anew, and leaves nothing half-made when aborted", async () => {
  const cache = await mkdtemp(path.join(tmpdir(), "kgr-cache-"));
  onTestFinished(() => rm(cache, { recursive: true }));
  const before = process.env["KGRAFT_CACHE"];
  process.env["KGRAFT_CACHE"] = cache;
  try {
    const aborter = new AbortController();
    const built = buildKgr({
      signal: aborter.signal,
      onProgress: ({ stage }) => stage === "compile" && setTimeout(() => aborter.abort(), 500),
    });
    await expect(built).rejects.toMatchObject({ name: "AbortError" });
    expect(await readdir(cache)).toEqual([]);
    const again = await buildKgr({ signal });
    expect(path.basename(path.dirname(again))).toBe(path.basename(path.dirname(binary)));
    await promisify(execFile)("cmp", [again, binary]);
  } finally {
    if (before === undefined) {
      delete process.env["KGRAFT_CACHE"];
    } else {
      process.env["KGRAFT_CACHE"] = before;
    }
  }
});

test("machineRequirements() finds all of it here", () => {
  expect(machineRequirements().filter((requirement) => !requirement.present)).toEqual([]);
});

test("debianMirrors() reads both forms of the machine's sources, without what is disabled or no archive", async () => {
  const machine = makeMachine({
    "/apt/sources.list":
      "# deb http://no/debian x main\ndeb [signed-by=/k.gpg arch=amd64] http://a/debian/ x main\n",
    "/apt/sources.list.d/b.sources": "Types: deb\nURIs: http://b/debian\n http://c/debian\nSuites: x\n",
    "/apt/sources.list.d/c.sources":
      "Enabled: no\nURIs: http://off/debian\n\nURIs: http://s/debian-security\n",
    "/apt/sources.list.d/d.list.disabled": "deb http://off/debian x main\n",
  });
  expect(await debianMirrors(`${machine.root}/apt`)).toEqual([
    "http://a/debian",
    "http://b/debian",
    "http://c/debian",
  ]);
  await expect(debianMirrors(`${machine.root}/none`)).rejects.toMatchObject({ name: "MirrorUnknown" });
});

const applying = livePatchFiles("lp_demo", 1, 1);

test.each<[string, Record<string, string>, Result]>([
  ["kgr status", {}, { status: 0, out: "ready\n", err: "" }],
  ["kgr -v -v patches", {}, { status: 0, out: "", err: "" }],
  ["kgr status", applying, { status: 0, out: "in_progress\n", err: "" }],
  ["kgr check", applying, { status: 1, out: "", err: "" }],
  ["kgr patches", applying, { status: 0, out: "lp_demo\n", err: "" }],
  ["kgr blocking -v", applying, { status: 0, out: "no processes with kgr_in_progress set\n", err: "" }],
  ["kgr patches | true", applying, { status: 0, out: "", err: "" }],
  [
    "kgr patches >/dev/full",
    applying,
    {
      status: 74,
      out: "",
      err: "kgr: cannot write to the standard output: EIO\n     see whether its device is full\n",
    },
  ],
  [
    "kgr status",
    { "/sys/kernel/livepatch/x/transition": "\u0000\u00ff".repeat(100_000) },
    { status: 0, out: "ready\n", err: "" },
  ],
])("%s", async (command, files, wanted) => {
  expect(await kgr(command, files)).toEqual(wanted);
});

test("kgr wait ends within its time, and at once when interrupted", async () => {
  const waited = await kgr("kgr wait --timeout 0.3", applying);
  expect(waited).toMatchObject({ status: 124, out: "" });
  expect(waited.err).toContain("lp_demo: in_progress, 0 tasks left\n");
  const interrupted = await kgr("kgr wait & sleep 0.3; kill -TERM $!; wait $!", applying);
  expect(interrupted).toMatchObject({ status: 130, out: "" });
});

test("kgr wait ends when nobody reads what it says", async () => {
  expect(await kgr("(sleep 0.2; exec kgr wait) 2>&1 | true", applying)).toMatchObject({ status: 0, out: "" });
});

test("kgr wait rewrites its line on a terminal", async () => {
  const shown = await kgr("script -qec 'stty cols 30 rows 10; kgr wait --timeout 1.5' /dev/null", applying);
  expect(shown.out).toContain("\r\u001b[Klp_demo: 0 tasks left\r\u001b[K");
});

test("kgr wait keeps to one line on a terminal of 20 columns", async () => {
  const shown = await kgr("script -qec 'stty cols 20 rows 5; kgr wait --timeout 0.5' /dev/null", applying);
  const lines = shown.out.split("\r\u001b[K").slice(1, -1);
  expect(lines).toContain("0 tasks left");
  expect(lines.filter((line) => line.length > 19)).toEqual([]);
});

test.each(["env -i", "env -i LANG=xx_YY.nonsense LC_ALL=../../x", "env -i TERM=dumb COLUMNS=0"])(
  "kgr needs nothing of its environment: %s",
  async (env) => {
    expect(await kgr(`${env} $(command -v kgr) status </dev/null`, applying)).toEqual({
      status: 0,
      out: "in_progress\n",
      err: "",
    });
    const waited = await kgr(`${env} $(command -v kgr) wait --timeout 0.2 </dev/null`, applying);
    expect(waited).toMatchObject({ status: 124, out: "" });
    expect(waited.err).toContain("lp_demo is still applying");
  },
);

test("kgr load of /dev/zero and of a directory", async () => {
  expect(await kgr("kgr load /dev/zero", {})).toMatchObject({ status: 74 });
  expect(await kgr("kgr load /etc", {})).toMatchObject({ status: 74 });
});

test("speaks Traditional Chinese where the locale asks for it, and English otherwise", async () => {
  const said = await kgr("LC_MESSAGES=zh_TW.UTF-8 kgr unload none", {});
  expect(said).toMatchObject({
    status: 66,
    out: "",
    err: expect.stringContaining("找不到即時修補程式 none") as string,
  });
  const plain = await kgr("LC_ALL=C LC_MESSAGES=zh_TW.UTF-8 kgr unload none", {});
  expect(plain.err).toContain("cannot find live patch none");
});

test("writes to a pipe that is named as its output, and leaves it one", async () => {
  const command = "cd /sys/kernel && mkfifo pipe && { cat pipe & kgr metrics -o pipe; wait; ls -l pipe; }";
  const { status, out } = await kgr(command, {});
  expect(status).toBe(0);
  expect(out).toMatch(/^# HELP kgr_build_info [^]*\np\S+ .* pipe\n$/);
});
