/**
 * What live patches mean for people and for scanners, told by a real kernel and read by others' programs: what is
 * fixed, since when, which kernel that makes, and how the answers follow the patch in and out of force.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { FixesReport, Manifest } from "@kgraft/contract";
import type { CommandResult, Guest, GuestFile } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asNobody, bootWithModules, testKernel } from "./guest.ts";
import { manifestOf } from "./manifest.ts";
import { complaints } from "./prometheus-programs.ts";
import { csafComplaints, openVexComplaints, packageUrl } from "./vex-checkers.ts";

const vector = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";
const effective = { release: "6.1.0-99-cloud-amd64", packageVersion: "6.1.999-1" };

let guest: Guest;

beforeAll(async () => {
  guest = await bootWithModules([], { names: ["lp_demo", "lp_busy", "lp_block"] }, manifests);
  await run("insmod /p/lp_busy.ko");
});
afterAll(async () => {
  await guest.shutdown();
});

/** lp_demo brings a whole release, lp_block one fix. */
async function manifests(folder: string): Promise<readonly GuestFile[]> {
  const kernel = await testKernel();
  const fileOf = async (name: string, replaced: string, more: Partial<Manifest>): Promise<GuestFile> => {
    const manifest = manifestOf(kernel, name, await readFile(path.join(folder, `${name}.ko`)), [replaced]);
    return { path: `/p/${name}.json`, source: Buffer.from(JSON.stringify({ ...manifest, ...more })) };
  };
  const cvss = { vector, score: 7.8 };
  const whole = {
    fixes: [
      { id: "CVE-2026-0001", title: "proc: a leak", cvss },
      { id: "bsc#1", title: "no vulnerability" },
    ],
    effective,
  };
  return Promise.all([
    fileOf("lp_demo", "vmlinux:cmdline_proc_show", whole),
    fileOf("lp_block", "lp_busy:lp_busy_sleep", { fixes: [{ id: "CVE-2026-0002", title: "a hang" }] }),
  ]);
}

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 90_000 });
}

async function says(command: string): Promise<string> {
  const { status, stdout, stderr } = await run(command);
  expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: "" });
  return stdout;
}

async function fixIds(): Promise<readonly string[]> {
  return (JSON.parse(await says("kgr fixes --json")) as FixesReport).fixes.map(({ id }) => id);
}

describe("with nothing loaded", () => {
  test("nothing is fixed, and the running kernel is the effective one", async () => {
    expect(await says("kgr fixes")).toBe("");
    expect(await says("kgr uname; uname -r")).toMatch(/^(.+)\n\1\n$/);
    expect(await run("kgr vex")).toMatchObject({ status: 66, stdout: "" });
    expect(await complaints(await says("kgr metrics"))).toBe("status 0\n");
  });
});

describe("with a live patch in force", () => {
  let before = "";
  beforeAll(async () => {
    before = (await says("date -u +%FT%TZ")).trim();
    await run("kgr load /p/lp_demo.ko");
  });

  test("fixes tells what, how severe, and since when", async () => {
    const { fixes } = JSON.parse(await says("kgr fixes --json")) as FixesReport;
    const after = (await says("date -u +%FT%TZ")).trim();
    const since = fixes[0]?.since ?? "";
    expect([before, since, after].toSorted()).toEqual([before, since, after]);
    expect(await says("kgr -v fixes")).toBe(
      `CVE-2026-0001   7.8  ${since}  proc: a leak\n    patch: lp_demo\n    CVSS: ${vector}\n` +
        `bsc#1             -  ${since}  no vulnerability\n    patch: lp_demo\n    CVSS: -\n`,
    );
  });

  test("uname tells the effective kernel", async () => {
    expect(await says("kgr uname")).toBe(`${effective.release}\n`);
    expect(await says("kgr -v uname")).toBe(
      `${effective.release}\n    running: 6.1.0-55-cloud-amd64\n    package version: ${effective.packageVersion}\n    patch: lp_demo\n`,
    );
  });

  test("vex is OpenVEX and CSAF for scanners, also of an ordinary user", async () => {
    const openVex = JSON.parse(await says(asNobody("kgr vex"))) as {
      readonly statements: readonly { readonly products: readonly { readonly "@id": string }[] }[];
    };
    expect(openVexComplaints(openVex)).toEqual([]);
    expect(openVex.statements).toMatchObject([{ vulnerability: { name: "CVE-2026-0001" }, status: "fixed" }]);
    const { packageVersion } = await testKernel();
    expect(packageUrl(openVex.statements[0]?.products[0]?.["@id"] ?? "")).toMatchObject({
      name: "linux-image-6.1.0-55-cloud-amd64",
      version: packageVersion,
    });
    const csaf: unknown = JSON.parse(await says("kgr vex --format csaf -o /tmp/vex.json; cat /tmp/vex.json"));
    expect(await csafComplaints(csaf)).toEqual([]);
    expect(csaf).toMatchObject({ vulnerabilities: [{ cve: "CVE-2026-0001" }] });
  });

  test.each(["kgr metrics", asNobody("kgr metrics"), "kgr metrics -o /tmp/a.prom; cat /tmp/a.prom"])(
    "%s is what Prometheus reads",
    async (command) => {
      const text = await says(command);
      expect(await complaints(text)).toBe("status 0\n");
      expect(text).toContain("\nkgr_fixes_in_force 2\n");
      expect(text).toContain("\nkgr_transition_in_progress 0\n");
    },
  );
});

describe("with a second patch on its way", () => {
  test("its fix counts when every task has moved", async () => {
    await run("cat /proc/lp_busy >/dev/null 2>&1 & sleep 1; kgr load /p/lp_block.ko --no-wait");
    expect(await fixIds()).toEqual(["CVE-2026-0001", "bsc#1"]);
    const metrics = await says("kgr metrics");
    expect(await complaints(metrics)).toBe("status 0\n");
    expect(metrics).toContain("\nkgr_transition_in_progress 1\n");
    expect(metrics).toMatch(/^kgr_blocking_tasks 1$/m);
    await run("echo 1 >/proc/lp_busy; kgr wait");
    expect(await fixIds()).toEqual(["CVE-2026-0001", "CVE-2026-0002", "bsc#1"]);
  });

  test("what is out of force is fixed no more", async () => {
    await run("kgr unload lp_demo");
    expect(await fixIds()).toEqual(["CVE-2026-0002"]);
    expect(await says("kgr uname; uname -r")).toMatch(/^(.+)\n\1\n$/);
    await run("kgr disable lp_block");
    expect(await fixIds()).toEqual([]);
    expect(await run("kgr vex")).toMatchObject({ status: 66, stdout: "" });
  });
});

describe("the policy of a machine", () => {
  test("config prints what is in force and where it comes from", async () => {
    await run("mkdir -p /etc/kgr; printf '# ours\\nON_TIMEOUT=reverse\\n' >/etc/kgr/kgr.conf");
    const text = await says(asNobody("kgr config"));
    expect(text).toMatch(/^ON_TIMEOUT=reverse +.*\/etc\/kgr\/kgr\.conf/m);
    expect(text).toMatch(/^NUDGE=yes +.*default/m);
  });

  test("a line that cannot be read is named, and changes nothing", async () => {
    await run("echo ON_TIMEOUT=perhaps >>/etc/kgr/kgr.conf");
    const { status, stdout, stderr } = await run("kgr config");
    expect(status).toBe(65);
    expect(stderr).toContain("/etc/kgr/kgr.conf");
    expect(stdout).toContain("ON_TIMEOUT=reverse");
  });
});
