/** Signed live patches, on a kernel that takes no other: its firmware trusts one key, and kgr says who was let in. */
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { VerifyReport } from "@kgraft/contract";
import { bootGuest, type CommandResult, type Guest, type GuestFile } from "@kgraft/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kgrFiles, makeModules, testKernel } from "./guest.ts";
import { manifestOf } from "./manifest.ts";

let guest: Guest;

beforeAll(async () => {
  const kernel = await testKernel();
  const keys = await mkdtemp(path.join(tmpdir(), "kgr-keys-"));
  const modules = await makeModules(kernel, ["lp_demo"]);
  try {
    const signFile = path.join(kernel.sourceDirectory, "scripts/sign-file");
    /** The live patch with its manifest in a folder, signed with a new key of that name. */
    const signed = async (signer: string | null): Promise<readonly GuestFile[]> => {
      const module = path.join(keys, `${signer ?? "bare"}.ko`);
      const source = path.join(modules, "lp_demo.ko");
      if (signer === null) {
        execFileSync("cp", [source, module]);
      } else {
        const [key, certificate] = [path.join(keys, `${signer}.key`), path.join(keys, `${signer}.crt`)];
        const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"];
        execFileSync("openssl", [...words, "-subj", `/CN=${signer}`, "-keyout", key, "-out", certificate], {
          stdio: "pipe",
        });
        execFileSync(signFile, ["sha256", key, certificate, source, module]);
      }
      const bytes = await readFile(module);
      const manifest = manifestOf(kernel, "lp_demo", bytes, ["vmlinux:cmdline_proc_show"]);
      const folder = `/p/${signer ?? "bare"}`;
      return [
        { path: `${folder}/lp_demo.ko`, source: bytes },
        { path: `${folder}/lp_demo.json`, source: Buffer.from(JSON.stringify(manifest)) },
      ];
    };
    const files = [
      ...(await kgrFiles()),
      ...(await signed("known")),
      ...(await signed("other")),
      ...(await signed(null)),
    ];
    const certificate = new X509Certificate(await readFile(path.join(keys, "known.crt")));
    guest = await bootGuest({
      kernel,
      files,
      kernelParameters: ["module.sig_enforce=1"],
      trustedCertificates: [certificate.raw],
      timeoutMs: 300_000,
    });
  } finally {
    await rm(keys, { recursive: true });
    await rm(modules, { recursive: true });
  }
});
afterAll(async () => {
  await guest.shutdown();
});

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 60_000 });
}

test.each([
  ["another key's signature", "other"],
  ["no signature", "bare"],
])("with %s: refused in the kernel's words, and nothing is left", async (_, folder) => {
  const refused = await run(`kgr load /p/${folder}/lp_demo.ko`);
  expect(refused).toMatchObject({ status: 1, stdout: "" });
  expect(refused.stderr).toMatch(
    /^(kgr: lp_demo: .+\n)*kgr: cannot insert \/p\/\w+\/lp_demo\.ko: .*Key was rejected by service\n {5}\S.*\n$/,
  );
  expect(await run("kgr patches; ls /run/kgr | grep lp_")).toMatchObject({ stdout: "" });
});

test("with the known key's signature: loaded without a word, also where the policy wants it so, and proven", async () => {
  await run("mkdir -p /etc/kgr; echo UNSIGNED_MODULE=refuse >/etc/kgr/kgr.conf");
  expect(await run("kgr load /p/known/lp_demo.ko && cat /proc/cmdline")).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^lp_demo: ready after \S+ s\nthis has been live patched\n$/) as string,
    stderr: expect.not.stringContaining("signature") as string,
  });
  const { patches } = JSON.parse((await run("kgr verify --json")).stdout) as VerifyReport;
  expect(patches).toMatchObject([{ name: "lp_demo", result: "proven", signature: "verified" }]);
  expect((await run("kgr -v verify")).stdout).toContain("\n    signature: verified by the kernel\n");
});

test("with a file that another took the place of afterwards: told", async () => {
  const { status, stdout } = await run("cp /p/bare/lp_demo.ko /p/known/lp_demo.ko; kgr -v verify");
  expect(status).toBe(1);
  expect(stdout).toContain("the kernel has verified a signature, but /p/known/lp_demo.ko has none");
});
