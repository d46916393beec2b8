import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSigner } from "../src/mod.ts";
import { agentHomes, newKey, passphrase, scratch, type Scratch, signal } from "./scratch.ts";

// Keys in files are brought into a GnuPG home with an agent. However the work ends, the agent ends with it.

let place: Scratch;
let key: string;
const old = process.env["TMPDIR"];

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  process.env["TMPDIR"] = await mkdtemp(join(tmpdir(), "kgraft-home-test-"));
});
afterAll(async () => {
  await rm(tmpdir(), { recursive: true });
  if (old === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = old;
  await place?.[Symbol.asyncDispose]();
});

/** What is there in the end: an agent that was told to go answers at once, and is gone a moment later. */
async function left(): Promise<{ readonly files: readonly string[]; readonly agents: readonly string[] }> {
  for (let tries = 0; tries < 60 && (await agentHomes(tmpdir())).length > 0; tries++) await sleep(50);
  return { files: await readdir(tmpdir()), agents: await agentHomes(tmpdir()) };
}

test("a key is made and leaves nothing", async () => {
  await newKey(join(place.path, "second.asc"));
  expect(await left()).toEqual({ files: [], agents: [] });
});

test("a signer has one agent, and leaves nothing", async () => {
  {
    await using signer = await openSigner({ keys: [key], passphrase, signal });
    await signer.clearSign("text\n");
    expect(await agentHomes(tmpdir())).toEqual([signer.home]);
  }
  expect(await left()).toEqual({ files: [], agents: [] });
});

test("several signatures that fail, one of them being waited for, leave nothing", async () => {
  {
    await using signer = await openSigner({ keys: [key], passphrase: "wrong", signal });
    const failed = expect.objectContaining({ name: "KeySigningFailed" });
    await expect(Promise.all([signer.clearSign("a\n"), signer.clearSign("b\n")])).rejects.toEqual(failed);
  }
  expect(await left()).toEqual({ files: [], agents: [] });
});

test("a signature that is interrupted leaves nothing", async () => {
  for (let pauseMs = 0; pauseMs < 200; pauseMs += 20) {
    const stop = new AbortController();
    const ended = (async (): Promise<never> => {
      await using signer = await openSigner({ keys: [key], passphrase, signal: stop.signal });
      for (;;) await signer.clearSign("text\n");
    })().catch((error: unknown) => error);
    await sleep(pauseMs);
    stop.abort();
    expect(await ended).toMatchObject({ name: "AbortError" });
  }
  expect(await left()).toEqual({ files: [], agents: [] });
});

test("a publisher that is killed takes its agent and its secret keys along", async () => {
  const program = fileURLToPath(import.meta.resolve("./killed-publisher.ts"));
  const killed = await execa(process.execPath, [program, "0", place.repository, key], { reject: false });
  expect(killed.signal).toBe("SIGKILL");
  // The agent looks every few seconds whether what it watches is there.
  for (let tries = 0; tries < 600 && (await agentHomes(tmpdir())).length > 0; tries++) await sleep(100);
  expect(await agentHomes(tmpdir())).toEqual([]);
  expect((await left()).files.filter((name) => name.startsWith("kgraft-keys-"))).toEqual([]);
});
