/** Signed live patches: on a kernel that takes no other, and the keys that cannot sign. */
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelTree } from "@kgraft/kernel";
import { bootGuest } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, type LivePatch, SigningFailed, type SigningKey } from "../src/mod.ts";
import { diffOf, testKernel } from "./kernel.ts";

const { signal } = new AbortController();
let directory: string;
let kernel: KernelTree;

const path = (name: string): string => join(directory, name);
const pair = (name: string): SigningKey => ({ key: path(`${name}.key`), certificate: path(`${name}.crt`) });

function makeKey(name: string, ...options: readonly string[]): SigningKey {
  const { key, certificate } = pair(name);
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-days", "30", "-subj", `/CN=${name}`];
  execFileSync("openssl", [...words, "-keyout", key, "-out", certificate, ...options], { stdio: "pipe" });
  return { key, certificate };
}

async function buildSigned(name: string, signingKey?: SigningKey): Promise<LivePatch> {
  const edit = {
    path: "fs/proc/cmdline.c",
    find: "seq_putc(m, '\\n');",
    replace: `seq_puts(m, " ${name}\\n");`,
  };
  const patches = [await diffOf(kernel, name, [edit])];
  return build(
    { kernel, name, patches, directory, ...(signingKey && { signingKey }) },
    { onProgress: () => undefined, signal },
  );
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kgraft-test-"));
  kernel = await testKernel();
  makeKey("known", "-nodes");
  makeKey("other", "-nodes");
  makeKey("locked", "-passout", "pass:secret");
});
afterAll(() => rm(directory, { recursive: true }));

test("a kernel that wants signatures takes a live patch signed with the key that it trusts, and no other", async () => {
  const built = {
    trusted: await buildSigned("trusted", pair("known")),
    foreign: await buildSigned("foreign", pair("other")),
    bare: await buildSigned("bare"),
  };
  const certificate = new X509Certificate(await readFile(pair("known").certificate));
  await using guest = await bootGuest({
    kernel,
    kernelParameters: ["module.sig_enforce=1"],
    trustedCertificates: [certificate.raw],
    files: Object.entries(built).map(([name, { modulePath }]) => ({
      path: `/root/${name}.ko`,
      source: modulePath,
    })),
    timeoutMs: 300_000,
  });
  const run = async (command: string): Promise<string> => {
    const { stdout, stderr } = await guest.run(command, { timeoutMs: 60_000 });
    return `${stdout}${stderr}`.trim();
  };
  for (const name of ["foreign", "bare"])
    expect(await run(`insmod /root/${name}.ko`)).toMatch(/Key was rejected|Required key not available/);
  expect(await run("ls /sys/kernel/livepatch")).toBe("");
  const transition = "/sys/kernel/livepatch/trusted/transition";
  expect(await run(`insmod /root/trusted.ko; while grep -q 1 ${transition}; do sleep 0.1; done`)).toBe("");
  expect(await run("cat /proc/cmdline")).toContain("trusted");
});

test("equal inputs give equal bytes, signature and all", async () => {
  const read = async (): Promise<Buffer> => readFile((await buildSigned("equal", pair("known"))).modulePath);
  expect(await read()).toEqual(await read());
});

describe("a key that cannot sign", () => {
  test.each<[title: string, key: () => SigningKey, message: RegExp]>([
    [
      "is missing",
      () => ({ ...pair("known"), key: path("absent.key") }),
      /cannot read .*absent\.key: ENOENT/,
    ],
    [
      "is no key",
      () => ({ ...pair("known"), key: pair("known").certificate }),
      /wanted a private key in PEM/,
    ],
    [
      "has no certificate",
      () => ({ ...pair("known"), certificate: pair("known").key }),
      /wanted an X\.509 certificate/,
    ],
    ["is another certificate's", () => ({ ...pair("known"), key: pair("other").key }), /is not the key of/],
    [
      "is to hash as the kernel cannot",
      () => ({ ...pair("known"), hash: "sha512" }),
      /does not have it built in, wanted CONFIG_CRYPTO_SHA512=y/,
    ],
    ["is locked", () => pair("locked"), /KBUILD_SIGN_PIN is not set/],
  ])("%s", async (_, key, message) => {
    const before = await readdir(directory);
    const attempt = buildSigned("never", key());
    await expect(attempt).rejects.toBeInstanceOf(SigningFailed);
    await expect(attempt).rejects.toThrow(message);
    expect(await readdir(directory)).toEqual(before);
  });

  test("opens with the right passphrase, and with no other", async () => {
    try {
      process.env["KBUILD_SIGN_PIN"] = "wrong";
      await expect(buildSigned("never", pair("locked"))).rejects.toThrow(/passphrase in KBUILD_SIGN_PIN/);
      process.env["KBUILD_SIGN_PIN"] = "secret";
      const { modulePath } = await buildSigned("opened", pair("locked"));
      const bytes = await readFile(modulePath);
      expect(bytes.subarray(-28).toString()).toBe("~Module signature appended~\n");
    } finally {
      delete process.env["KBUILD_SIGN_PIN"];
    }
  });
});
