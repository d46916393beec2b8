/**
 * load, enable, disable, unload over a directory tree. insmod and rmmod are scripts that do to the tree what the
 * kernel does to sysfs; what the kernel itself does is shown in a guest (test/guest.test.ts).
 */
import { createHash } from "node:crypto";
import type { Manifest } from "@kgraft/contract";
import { describe, expect, test } from "vitest";
import { idleMachine, isThere, livePatchFiles, type Machine, makeMachine } from "../../test/machine.ts";
import { livePatchInfo, moduleFile } from "../../test/module.ts";
import { main, type System, SystemError } from "../mod.ts";

const module = moduleFile(livePatchInfo);
const folder = "/sys/kernel/livepatch/lp_demo";

const manifest: Manifest = {
  schema: "kgraft-manifest/1",
  name: "lp_demo",
  kernel: {
    release: "6.1.0-55-cloud-amd64",
    packageVersion: "6.1.192-1",
    architecture: "amd64",
    buildId: "abcdef0123",
  },
  module: {
    file: "lp_demo.ko",
    sha256: createHash("sha256").update(module).digest("hex"),
    sizeBytes: module.length,
  },
  fixes: [{ id: "CVE-2026-1", title: "a hole" }],
  functions: [],
  sources: [],
  compiler: "gcc",
};

const insmod = `#!/bin/sh
lp=$ROOT/sys/kernel/livepatch/lp_demo
mkdir -p $lp $ROOT/sys/module/lp_demo
echo 1 >$lp/enabled; echo 0 >$lp/transition; echo 1 >$ROOT/sys/module/lp_demo/refcnt
`;
const rmmod = `#!/bin/sh
rm -r $ROOT/sys/kernel/livepatch/lp_demo $ROOT/sys/module/lp_demo
: >$ROOT/proc/modules
`;

function machine(files: Readonly<Record<string, string | Uint8Array>> = {}): Machine {
  return makeMachine({
    ...idleMachine,
    "/usr/sbin/insmod": insmod,
    "/usr/sbin/rmmod": rmmod,
    "/run/.keep": "",
    "/p/lp_demo.ko": module,
    "/p/lp_demo.json": JSON.stringify(manifest),
    ...files,
  });
}

const load = ["load", "/p/lp_demo.ko"] as const;

function info(from: string, to: string): Uint8Array {
  return moduleFile(livePatchInfo.map((line) => line.replace(from, to)));
}

describe("kgr load", () => {
  test("puts the patch into force and remembers its manifest", async () => {
    const host = machine();
    expect(await host.kgr(...load)).toEqual({ status: 0, out: "lp_demo: ready after 0.0 s\n", err: "" });
    expect(JSON.parse(host.read("/run/kgr/lp_demo.json"))).toEqual(manifest);
    expect((await host.kgr("-v", "patches")).out).toContain("    CVE: CVE-2026-1\n");
  });

  test("--json tells how it ended", async () => {
    const { out } = await machine().kgr(...load, "--json");
    expect(JSON.parse(out)).toMatchObject({ action: "load", patch: "lp_demo", state: "ready", tasksLeft: 0 });
  });

  test("--no-wait leaves the transition going", async () => {
    const host = machine({
      "/usr/sbin/insmod": insmod.replace("echo 0 >$lp/transition", "echo 1 >$lp/transition"),
    });
    const { status, out } = await host.kgr(...load, "--no-wait");
    expect({ status, out }).toEqual({ status: 0, out: "lp_demo: in_progress, follow it with: kgr wait\n" });
  });

  test("loads without a manifest, and says what that means", async () => {
    const host = machine();
    host.remove("/p/lp_demo.json");
    expect(await host.kgr(...load)).toMatchObject({
      status: 0,
      err: expect.stringContaining("no manifest") as string,
    });
    expect(isThere(host, "/run/kgr/lp_demo.json")).toBe(false);
  });

  test("at the time limit it says how to go on and back", async () => {
    const host = machine({
      "/usr/sbin/insmod": insmod.replace("echo 0 >$lp/transition", "echo 1 >$lp/transition"),
    });
    const { status, err } = await host.kgr(...load, "--timeout", "0.01");
    expect(status).toBe(124);
    expect(err).toContain("turn back with: kgr disable lp_demo");
    expect(isThere(host, "/run/kgr/lp_demo.json")).toBe(true);
  });

  test("takes the record back when the kernel refuses the module", async () => {
    const host = machine({ "/usr/sbin/insmod": "#!/bin/sh\necho Invalid module format >&2\nexit 1\n" });
    expect(await host.kgr(...load)).toMatchObject({ status: 1, out: "" });
    expect(isThere(host, "/run/kgr/lp_demo.json")).toBe(false);
  });

  const note = Buffer.from("0400000005000000030000004747474700112233", "hex");
  note.write("GNU\0", 12);
  const changed = (change: object): string => JSON.stringify({ ...manifest, ...change });
  test.each<[string, number, Record<string, string | Uint8Array>, string]>([
    [
      "another kernel's module",
      4,
      { "/p/lp_demo.ko": info("-55-", "-56-") },
      "it is for kernel 6.1.0-56-cloud-amd64",
    ],
    ["no live patch", 65, { "/p/lp_demo.ko": info("=Y", "=N") }, "livepatch is"],
    ["a cut off file", 65, { "/p/lp_demo.ko": module.subarray(0, 100) }, "section headers end"],
    ["a manifest that is no JSON", 65, { "/p/lp_demo.json": "{" }, "it is no JSON"],
    ["a manifest of another kind", 65, { "/p/lp_demo.json": changed({ schema: "x" }) }, "schema: "],
    ["a manifest with more", 65, { "/p/lp_demo.json": changed({ more: 1 }) }, "cannot read manifest"],
    [
      "a manifest of another name",
      65,
      { "/p/lp_demo.json": changed({ name: "lp_x" }) },
      "name is lp_demo, its manifest",
    ],
    [
      "a manifest of other bytes",
      65,
      { "/p/lp_demo.json": changed({ module: { ...manifest.module, sha256: "0".repeat(64) } }) },
      `its manifest wants ${"0".repeat(64)}`,
    ],
    [
      "another build of this release",
      4,
      { "/sys/kernel/notes": new Uint8Array(Buffer.concat([note, Buffer.alloc(4)])) },
      "the running kernel's build id is 0011223300, wanted abcdef0123",
    ],
    ["a name that is loaded", 5, livePatchFiles("lp_demo", 1, 0), "a module of that name is loaded, active"],
    [
      "a name that another module has",
      5,
      { "/sys/module/lp_demo/refcnt": "0\n" },
      "is loaded, no live patch",
    ],
    ["a transition of another", 2, livePatchFiles("lp_other", 1, 1), "lp_other is applying"],
    ["a record that cannot be written", 74, { "/run/kgr": "a file" }, "/run/kgr"],
  ])("refuses %s: %i", async (_, status, files, message) => {
    const host = machine(files);
    const before = isThere(host, folder);
    const result = await host.kgr(...load);
    expect(result).toMatchObject({ status, out: "" });
    expect(result.err).toContain(message);
    expect(isThere(host, folder)).toBe(before);
    expect(isThere(host, "/run/kgr/lp_demo.json")).toBe(false);
  });

  test.each([
    ["/p/lp_demo", {}, "type: kgr load /p/lp_demo.ko\n"],
    [
      "kgraft_1",
      { "/usr/lib/modules/6.1.0-55-cloud-amd64/updates/kgraft/kgraft_1.ko": module },
      "type: kgr load /usr/lib/modules/6.1.0-55-cloud-amd64/updates/kgraft/kgraft_1.ko\n",
    ],
    ["lp_demo", {}, "type the path of a .ko file"],
  ])("of %s names the file that was meant", async (typed, files, hint) => {
    const { status, err } = await machine(files).kgr("load", typed);
    expect(status).toBe(66);
    expect(err).toContain(`\n     ${hint}`);
  });

  test("refuses a file that is not there: 66", async () => {
    expect(await machine().kgr("load", "/p/gone.ko")).toMatchObject({ status: 66 });
  });
});

describe("kgr disable", () => {
  test.each([
    ["active", livePatchFiles("lp_demo", 1, 0), "0"],
    ["off", livePatchFiles("lp_demo", 0, 0), "0"],
  ])("a patch that is %s", async (_, files, enabled) => {
    const host = machine(files);
    expect(await host.kgr("disable", "lp-demo")).toMatchObject({
      status: 0,
      out: "lp_demo: disabled, its module is still loaded\n",
    });
    expect(host.read(`${folder}/enabled`).trim()).toBe(enabled);
  });

  test("turns back a patch that is being applied", async () => {
    const host = machine(livePatchFiles("lp_demo", 1, 1));
    host.onSleep = () => {
      expect(host.read(`${folder}/enabled`)).toMatch(/^0/);
      host.put({ [`${folder}/transition`]: "0\n" });
    };
    expect(await host.kgr("disable", "lp_demo")).toMatchObject({ status: 0 });
  });

  test("does not disturb the transition of another: 2", async () => {
    const host = machine({ ...livePatchFiles("lp_demo", 1, 0), ...livePatchFiles("lp_other", 1, 1) });
    expect(await host.kgr("disable", "lp_demo")).toMatchObject({ status: 2 });
    expect(host.read(`${folder}/enabled`)).toBe("1\n");
  });
});

test.each([
  ["lp_dmeo", "type lp_demo in its place; or see what there is with: kgr patches"],
  ["demo", "type lp_demo in its place; or see what there is with: kgr patches"],
  ["kgraft_9", "type: kgr patches"],
])("kgr unload %s, which is not loaded, names the one that may be meant", async (typed, hint) => {
  expect(await machine(livePatchFiles("lp_demo", 1, 0)).kgr("unload", typed)).toEqual({
    status: 66,
    out: "",
    err: `kgr: cannot find live patch ${typed}: none of that name is loaded\n     ${hint}\n`,
  });
});

describe("kgr disable, while the kernel answers that it is busy", () => {
  /** Busy for so many writes. */
  async function disable(
    busy: number,
  ): Promise<{ status: number; err: string; writes: number; waitedMs: number }> {
    const host = machine(livePatchFiles("lp_demo", 1, 0));
    let writes = 0;
    let err = "";
    const system: System = {
      ...host.system,
      writeFile(file, text) {
        writes += 1;
        if (writes <= busy) {
          throw new SystemError("write", file, "EBUSY");
        }
        host.system.writeFile(file, text);
      },
      print: (stream, text) => void (err += stream === "err" ? text : ""),
    };
    const startMs = host.system.nowMs();
    const status = await main(system, ["disable", "lp_demo"]);
    return { status, err, writes, waitedMs: host.system.nowMs() - startMs };
  }

  test("tries again", async () => {
    expect(await disable(3)).toEqual({ status: 0, err: "", writes: 4, waitedMs: 750 });
  });

  test("gives up after the policy's time, and says how to see why", async () => {
    const { status, err, waitedMs } = await disable(Infinity);
    expect({ status, waitedMs }).toEqual({ status: 1, waitedMs: 10_000 });
    expect(err).toBe(
      "kgr: cannot disable lp_demo: the kernel answers EBUSY\n" +
        "     see how it stands with: kgr -v status; kgr -v patches\n",
    );
  });
});

describe("kgr enable", () => {
  test("turns back a patch that is being disabled", async () => {
    const host = machine(livePatchFiles("lp_demo", 0, 1));
    host.onSleep = () => host.put({ [`${folder}/transition`]: "0\n" });
    expect(await host.kgr("enable", "lp_demo")).toMatchObject({ status: 0, out: "lp_demo: ready\n" });
    expect(host.read(`${folder}/enabled`)).toMatch(/^1/);
  });

  test("refuses what the kernel cannot enable again: 2", async () => {
    expect(await machine(livePatchFiles("lp_demo", 0, 0)).kgr("enable", "lp_demo")).toMatchObject({
      status: 2,
    });
  });
});

describe("kgr unload", () => {
  test("disables, waits, removes the module and forgets the manifest", async () => {
    const host = machine();
    await host.kgr(...load);
    expect(await host.kgr("unload", "lp_demo")).toEqual({ status: 0, out: "lp_demo: unloaded\n", err: "" });
    expect(
      [folder, "/sys/module/lp_demo", "/run/kgr/lp_demo.json"].filter((file) => isThere(host, file)),
    ).toEqual([]);
    expect(await host.kgr("unload", "lp_demo")).toMatchObject({ status: 66 });
  });

  test("removes the module of a patch that has been replaced", async () => {
    const line = "lp_demo 16384 0 - Live 0x0000000000000000 (OEK)\n";
    const host = machine({ "/proc/modules": line, "/sys/module/lp_demo/refcnt": "0\n" });
    host.put({ "/usr/sbin/rmmod": '#!/bin/sh\n: >"$ROOT/proc/modules"\n' });
    expect(await host.kgr("unload", "lp_demo")).toMatchObject({ status: 0 });
  });

  test("at the time limit nothing is removed: 124", async () => {
    const host = machine(livePatchFiles("lp_demo", 0, 1));
    const { status, err } = await host.kgr("unload", "lp_demo", "--timeout", "0.01");
    expect(status).toBe(124);
    expect(err).toContain("turn back with: kgr enable lp_demo");
    expect(isThere(host, folder)).toBe(true);
  });

  test("does not remove a patch that was enabled again meanwhile: 2", async () => {
    const host = machine(livePatchFiles("lp_demo", 0, 1));
    host.onSleep = () => host.put({ [`${folder}/enabled`]: "1\n", [`${folder}/transition`]: "0\n" });
    expect(await host.kgr("unload", "lp_demo")).toMatchObject({ status: 2 });
    expect(isThere(host, folder)).toBe(true);
  });
});

test("kgr downgrade names the patch that is in transition: 2", async () => {
  const host = machine({ ...livePatchFiles("lp_demo", 1, 0), ...livePatchFiles("lp_other", 1, 1) });
  expect(await host.kgr("downgrade")).toEqual({
    status: 2,
    out: "",
    err: "kgr: cannot downgrade: lp_other is applying\n     wait until it is done with: kgr wait\n",
  });
});

describe("--dry-run in the middle of a transition says what would be done, and writes nothing", () => {
  test.each<[string, 0 | 1, string]>([
    ["disable", 1, "lp_demo: would be turned back\n"],
    ["unload", 1, "lp_demo: would be turned back, then its module would be removed\n"],
    ["enable", 1, "lp_demo: is applying already\n"],
    ["disable", 0, "lp_demo: is being disabled already\n"],
    ["unload", 0, "lp_demo: is being disabled already, then its module would be removed\n"],
    ["enable", 0, "lp_demo: would be turned back into force\n"],
  ])("%s, enabled %i", async (command, enabled, out) => {
    const host = machine(livePatchFiles("lp_demo", enabled, 1));
    expect(await host.kgr(command, "lp_demo", "--dry-run")).toEqual({ status: 0, out, err: "" });
    expect(host.read(`${folder}/enabled`)).toBe(`${enabled}\n`);
    const { out: json } = await host.kgr(command, "lp_demo", "--dry-run", "--json");
    expect(JSON.parse(json)).toMatchObject({ action: command, patch: "lp_demo", dryRun: true });
  });
});
