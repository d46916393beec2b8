/** fixes, uname and metrics: what the live patches in force mean. */
import { describe, expect, test } from "vitest";
import {
  idleMachine,
  livePatchFiles,
  type Machine,
  makeMachine,
  manifestText,
  threadFiles,
} from "../../test/machine.ts";

const vector = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";
const fixes = [
  { id: "CVE-2026-0001", title: "a leak", cvss: { vector, score: 7.8 } },
  { id: "bsc#1", title: 'slow "path"' },
];
const effective = { release: "6.1.0-58-cloud-amd64", packageVersion: "6.1.201-1" };

function patched(changes: object = { fixes }): Machine {
  return makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 0),
    "/run/kgr/lp_demo.json": manifestText(changes),
    "/run/kgr/in-force.json": '{"CVE-2026-0001":0}',
  });
}

function applying(): Machine {
  return makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 1),
    ...threadFiles(20, 20, "0"),
    "/run/kgr/lp_demo.json": manifestText({ fixes, effective }),
  });
}

describe("kgr fixes", () => {
  test.each<[string, () => Machine, string, string]>([
    ["nothing loaded", () => makeMachine(idleMachine), "fixes", ""],
    ["a patch in transition", applying, "fixes", ""],
    [
      "a patch in force",
      patched,
      "fixes",
      'CVE-2026-0001   7.8  2026-11-24T14:00:00Z  a leak\nbsc#1             -  -                     slow "path"\n',
    ],
    [
      "a patch in force",
      patched,
      "-v fixes",
      `CVE-2026-0001   7.8  2026-11-24T14:00:00Z  a leak\n    patch: lp_demo\n    CVSS: ${vector}\n` +
        'bsc#1             -  -                     slow "path"\n    patch: lp_demo\n    CVSS: -\n',
    ],
  ])("%s: %s", async (_, machine, line, out) => {
    expect(await machine().kgr(...line.split(" "))).toEqual({ status: 0, out, err: "" });
  });

  test("a title cannot reach the terminal's controls", async () => {
    const { out } = await patched({ fixes: [{ id: "x", title: "\u001b[31mred\nCVE-2026-2" }] }).kgr("fixes");
    expect(out).toMatch(/^x .* \?\[31mred\?CVE-2026-2\n$/);
  });
});

describe("kgr uname", () => {
  test.each<[string, () => Machine, string, string]>([
    ["nothing loaded", () => makeMachine(idleMachine), "uname", "6.1.0-55-cloud-amd64\n"],
    ["single fixes", patched, "uname", "6.1.0-55-cloud-amd64\n"],
    ["a whole release", () => patched({ effective }), "uname", "6.1.0-58-cloud-amd64\n"],
    ["a release in transition", applying, "uname", "6.1.0-55-cloud-amd64\n"],
    [
      "single fixes",
      patched,
      "uname -v",
      "6.1.0-55-cloud-amd64\n    running: 6.1.0-55-cloud-amd64\n" +
        "    patch: (none in force names a release, so the running one is the effective one)\n",
    ],
    [
      "a whole release",
      () => patched({ effective }),
      "uname -v",
      "6.1.0-58-cloud-amd64\n    running: 6.1.0-55-cloud-amd64\n    package version: 6.1.201-1\n    patch: lp_demo\n",
    ],
  ])("%s: %s", async (_, machine, line, out) => {
    expect(await machine().kgr(...line.split(" "))).toEqual({ status: 0, out, err: "" });
  });

  test("the newest of two, by version and not by letters", async () => {
    const machine = patched({ effective });
    machine.put({
      ...livePatchFiles("a", 1, 0),
      "/run/kgr/a.json": manifestText({
        name: "a",
        effective: { release: "old", packageVersion: "6.1.99-1" },
      }),
    });
    expect((await machine.kgr("uname")).out).toBe("6.1.0-58-cloud-amd64\n");
  });
});

describe("kgr metrics", () => {
  test("tells a transition, and gives no number that this user may not see", async () => {
    expect((await applying().kgr("metrics")).out).toMatch(
      /\nkgr_transition_in_progress 1\n(.*\n)*kgr_blocking_tasks 1\n(.*\n)*kgr_patch_in_transition\{patch="lp_demo"\} 1\n(.*\n)*kgr_fixes_in_force 0\n/,
    );
  });

  test("tells the fixes, when and how severe", async () => {
    expect((await patched().kgr("metrics")).out).toContain(
      'kgr_fix_in_force_since_timestamp_seconds{id="CVE-2026-0001",patch="lp_demo"} 1795528800\n',
    );
    expect((await patched().kgr("metrics")).out).toContain(
      'kgr_fix_cvss_score{id="CVE-2026-0001",patch="lp_demo"} 7.8\n',
    );
  });

  test("of a kernel without live patching says just that", async () => {
    const machine = makeMachine({ "/proc/sys/kernel/osrelease": "6.1.0\n" });
    const { status, out } = await machine.kgr("metrics");
    expect(status).toBe(0);
    expect(out).toContain("\nkgr_livepatch_supported 0\n");
    expect(out).not.toContain("kgr_transition");
  });

  test("-o replaces a file as a whole, and names the one that it cannot write", async () => {
    const machine = patched();
    machine.put({ "/var/kgr.prom": "old" });
    expect(await machine.kgr("metrics", "-o", "/var/kgr.prom")).toEqual({ status: 0, out: "", err: "" });
    expect(machine.read("/var/kgr.prom")).toBe((await machine.kgr("metrics")).out);
    expect(await machine.kgr("metrics", "-o", "/gone/kgr.prom")).toMatchObject({ status: 74, out: "" });
  });
});

test("wait notes since when fixes are in force, and forgets those that are no longer", async () => {
  const machine = patched();
  machine.remove("/run/kgr/in-force.json");
  await machine.system.sleep(3000);
  expect(await machine.kgr("wait")).toMatchObject({ status: 0 });
  expect((await machine.kgr("fixes")).out).toContain("2026-11-24T14:00:03Z  a leak\n");
  machine.put({ "/sys/kernel/livepatch/lp_demo/enabled": "0\n" });
  expect(await machine.kgr("wait")).toMatchObject({ status: 0 });
  expect(JSON.parse(machine.read("/run/kgr/in-force.json"))).toEqual({});
});
