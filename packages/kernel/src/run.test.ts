import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { run, runScript } from "./run.ts";

const { signal } = new AbortController();

describe("run()", () => {
  test("gives output and status", async () => {
    const args = ["-c", "echo out; echo err >&2; exit 3"];
    for (const okCodes of [[3], "all"] as const) {
      expect(await run("sh", args, { signal, okCodes })).toEqual({
        code: 3,
        stdout: "out\n",
        stderr: "err\n",
      });
    }
  });

  test.each([
    ["CommandFailed", "sh", ["-c", "echo why >&2; exit 4"], /exit status 4/],
    ["ToolMissing", "kgraft-no-such-program", [], /not found/],
    ["NoSpace", "sh", ["-c", "cat /etc/os-release > /dev/full"], /no space left/],
  ])("%s", async (name, command, args, message) => {
    const running = run(command, args, { signal });
    await expect(running).rejects.toMatchObject({ name });
    await expect(running).rejects.toThrow(message);
  });

  test("NoSpace, whichever status the caller looks at itself", async () => {
    const running = run("sh", ["-c", "cat /etc/os-release > /dev/full"], { signal, okCodes: "all" });
    await expect(running).rejects.toMatchObject({ name: "NoSpace" });
  });

  test("an abort ends the whole group before it returns", async () => {
    const stop = new AbortController();
    const output: string[] = [];
    const running = run("sh", ["-c", "sleep 100 & echo $!; wait"], {
      signal: stop.signal,
      onStdout: (chunk) => output.push(chunk.toString()),
    });
    while (output.length === 0) await sleep(5);
    stop.abort(new Error("stopped"));
    await expect(running).rejects.toThrow("stopped");
    const state = (): string => {
      try {
        return readFileSync(`/proc/${output.join("").trim()}/stat`, "utf8").split(" ")[2]!;
      } catch {
        return "gone";
      }
    };
    // It has closed its output; what is left of its exit is the kernel's.
    await expect.poll(state, { timeout: 10_000 }).toMatch(/^(gone|Z)$/);
  });
});

test("runScript() a failure anywhere in a pipe is a failure", async () => {
  await expect(runScript("false | cat", [], { signal })).rejects.toMatchObject({ name: "CommandFailed" });
});
