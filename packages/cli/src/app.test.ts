import { describe, expect, test } from "vitest";
import { kgraft } from "./app.ts";
import { Interrupted } from "./errors.ts";

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(argv: readonly string[], signal = new AbortController().signal): Promise<Outcome> {
  const text = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr"): { write: (part: string) => void } => ({
    write: (part) => void (text[name] += part),
  });
  const code = await kgraft(argv, { stdout: stream("stdout"), stderr: stream("stderr"), env: {}, signal });
  return { code, ...text };
}

const misuse: readonly (readonly [string, string, RegExp])[] = [
  ["a misspelt command", "biuld", /no command is called biuld\n +did you mean build\?/],
  ["a misspelt command of a group", "lab rnu", /did you mean run\?/],
  ["a misspelt option", "build --kernal x y", /no option is called --kernal\n +did you mean --kernel\?/],
  ["a missing option", "build y", /option --kernel is missing/],
  ["a missing operand", "kernel fetch", /RELEASE is missing/],
  ["one operand too many", "kernel list x", /one word too many/],
  [
    "a time that is none",
    "lab run --kernel x --timeout abc -- ls",
    /cannot read --timeout: found "abc", wanted a time/,
  ],
  [
    "a size that is none",
    "lab run --kernel x --disk abc -- ls",
    /cannot read --disk: found "abc", wanted a size/,
  ],
  ["a version that is none", "package patch --version 2 x.ko", /wanted a version such as 2-1/],
  ["a maintainer without a mail address", "package kgr --maintainer me", /wanted: Name <mail@address>/],
  ["a PTF without a number", "package ptf one --title x", /wanted a number such as 1234/],
  [
    "a number of days that is none",
    "lifecycle --days x",
    /cannot read --days: found "x", wanted a number of/,
  ],
  [
    "a day that is none",
    "lifecycle --date 2027-02-30",
    /cannot read --date: found "2027-02-30", wanted a day/,
  ],
  [
    "an unknown architecture",
    "kernel fetch x --arch vax",
    /cannot read --arch: found "vax", wanted amd64 or ppc64el/,
  ],
  ["memory that no kernel boots with", "lab run --kernel x --memory 1M -- ls", /--memory is under 128M/],
];

describe("kgraft() refuses with 64 and a hint", () => {
  test.each(misuse)("%s", async (_, line, message) => {
    const { code, stdout, stderr } = await run(line.split(" "));
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBeGreaterThan(1);
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
  });
});

test("kgraft() with --json tells an error as one document", async () => {
  const { code, stdout, stderr } = await run(["kernel", "list", "x", "--json"]);
  expect(code).toBe(64);
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toMatchObject({ error: { name: "UsageError", exitCode: 64 } });
});

test("kgraft() leaves a --json of the guest's command alone", async () => {
  const { stdout, stderr } = await run(["lab", "run", "--kernel", "../x", "--", "kgr", "--json"]);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^kgraft: /);
});

test("kgraft() tells that it was interrupted, whatever the stage throws", async () => {
  const { code, stderr } = await run(
    ["kernel", "fetch", "x/y"],
    AbortSignal.abort(new Interrupted("SIGINT")),
  );
  expect(code).toBe(130);
  expect(stderr).toMatch(/^kgraft: interrupted by SIGINT/);
});

test.each([
  ["of our own output ends it quietly with 0", true, 0, /^$/],
  ["of anything else is told", false, 74, /^kgraft: ./],
] as const)("kgraft() a closed pipe %s", async (_, own, wanted, message) => {
  const closed = Object.assign(new Error("EPIPE: broken pipe, write"), { code: "EPIPE", syscall: "write" });
  const stdout = {
    write(): void {
      throw closed;
    },
  };
  let stderr = "";
  const code = await kgraft(["kernel", "list"], {
    stdout,
    stderr: { write: (text: string) => void (stderr += text) },
    env: {},
    signal: own ? AbortSignal.abort(closed) : new AbortController().signal,
  });
  expect(stderr).toMatch(message);
  expect(code).toBe(wanted);
});

/** What must be in the help; groups of commands only list them. */
const helps: readonly (readonly [string, RegExp])[] = [
  ["", /Exit status:\n +0 {2}done/],
  ["kernel", /fetch|list/],
  ["kernel fetch", /Examples:/],
  ["kernel list", /Examples:/],
  ["diff", /Examples:/],
  ["build", /Examples:/],
  ["lab", /COMMANDS\n +run/],
  ["lab run", /input is not passed to it.*124, 125 and 126 are kgraft's own.*Examples:/s],
  ["package", /initial|kgr|patch|ptf/],
  ["package initial", /Examples:/],
  ["package kgr", /Examples:/],
  ["package patch", /same inputs give same bytes.*Examples:/s],
  ["package ptf", /Examples:/],
  ["package lifecycle", /Examples:/],
  ["package keyring", /Examples:/],
  ["publish", /Examples:/],
  ["key", /new|show|rotate/],
  ["key new", /Examples:/],
  ["key show", /Examples:/],
  ["key rotate", /Examples:/],
  ["advisory", /check|list/],
  ["advisory check", /Exit status of this command:.*Examples:/s],
  ["advisory list", /Examples:/],
  ["lifecycle", /exit status is 1.*Examples:/s],
  ["doctor", /Examples:/],
  ["demo", /Examples:/],
];
test.each(helps)("kgraft %s --help tells what it does", async (command, wanted) => {
  const { code, stdout, stderr } = await run([...command.split(" ").filter(Boolean), "--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(wanted);
});

test("kgraft --version prints the version", async () => {
  expect(await run(["--version"])).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: "",
  });
});
