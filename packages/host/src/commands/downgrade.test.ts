/** Which file a downgrade takes, over a directory tree; by packages and in the kernel: test/policy.test.ts, apt.long.test.ts. */
import { describe, expect, test } from "vitest";
import { livePatchFiles, type Machine } from "../../test/machine.ts";
import { machineWithStore, pairFiles, replacingInsmod, sha256Of, store } from "../../test/store.ts";

const rmmod = `#!/bin/sh
rm -r $ROOT/sys/module/$1; grep -v "^$1 " $ROOT/proc/modules >$ROOT/tmp/modules; cat $ROOT/tmp/modules >$ROOT/proc/modules
`;

/** kgraft_7 in force, loaded after these; the files of a pair each, or others in their place. */
function machine(
  loadedBefore: readonly string[],
  files: Readonly<Record<string, string | Uint8Array>> = {},
  inForce = "kgraft_7",
): Machine {
  const loaded = [...loadedBefore, inForce];
  const pairs = Object.assign({}, ...loaded.map((name) => pairFiles("/p", name))) as typeof files;
  const history = loaded.map((name) => ({ name, path: `/p/${name}.ko` }));
  return machineWithStore({
    "/usr/sbin/insmod": replacingInsmod,
    "/usr/sbin/rmmod": rmmod,
    "/tmp/.keep": "",
    "/run/kgr/load-history.json": JSON.stringify(history),
    ...livePatchFiles(inForce, 1, 0),
    ...pairs,
    ...files,
  });
}

const back = "go back to the original functions with: kgr disable kgraft_7";

describe("kgr downgrade takes the newest earlier one of the same line", () => {
  test.each<[string, () => Machine, string]>([
    ["loaded before", () => machine(["kgraft_6"]), "/p/kgraft_6.ko"],
    ["not what was loaded last", () => machine(["kgraft_6", "my_own_9"]), "/p/kgraft_6.ko"],
    [
      "by number, not by the order of letters",
      () => machine(["kgraft_9", "kgraft_8"], {}, "kgraft_10"),
      "/p/kgraft_9.ko",
    ],
    ["by number, not by the order of loading", () => machine(["kgraft_6", "kgraft_5"]), "/p/kgraft_6.ko"],
    [
      "of COUNTER_REBUILD",
      () => machine(["kgraft_patch_3_2", "kgraft_patch_3_1"], {}, "kgraft_patch_4_1"),
      "/p/kgraft_patch_3_2.ko",
    ],
    ["never a newer one", () => machine(["kgraft_8", "kgraft_5"]), "/p/kgraft_5.ko"],
    ["installed, after a reboot", () => machine([], pairFiles(store, "kgraft_6")), `${store}/kgraft_6.ko`],
    [
      "installed, where what was loaded is older",
      () => machine(["kgraft_5"], pairFiles(store, "kgraft_6")),
      `${store}/kgraft_6.ko`,
    ],
    [
      "not one that is gone",
      () =>
        machine(["kgraft_5", "kgraft_6"], {
          "/run/kgr/load-history.json": JSON.stringify([
            { name: "kgraft_5", path: "/p/kgraft_5.ko" },
            { name: "kgraft_6", path: "/p/gone.ko" },
            { name: "kgraft_7", path: "/p/kgraft_7.ko" },
          ]),
        }),
      "/p/kgraft_5.ko",
    ],
    [
      "not one that the machine went down with",
      () => machine(["kgraft_5"], { ...pairFiles(store, "kgraft_6"), ...wentDown("kgraft_6") }),
      "/p/kgraft_5.ko",
    ],
  ])("%s", async (_, made, path) => {
    const host = made();
    expect(await host.kgr("downgrade", "--dry-run")).toMatchObject({
      status: 0,
      out: expect.stringMatching(`: would give way to ${path}\n$`) as string,
    });
    expect(await host.kgr("downgrade", "--yes")).toMatchObject({
      status: 0,
      out: expect.stringMatching(/: ready, kgraft_\w+ gave way\n$/) as string,
    });
  });
});

function wentDown(name: string): Record<string, string> {
  const insertion = { name, sha256: sha256Of(name), bootId: "boot-0", atMs: 0 };
  return { "/var/lib/kgr/guard.json": JSON.stringify({ wentDown: [insertion], good: [] }) };
}

describe("kgr downgrade takes nothing else, says so, and names the command", () => {
  test.each<[string, () => Machine, string, string]>([
    ["nothing", () => machine([]), "neither a package nor a file has an earlier version of it", back],
    [
      "another patch",
      () => machine(["my_own_6"]),
      "my_own_6, loaded before it, is not an earlier version of it",
      `${back}; or load the other all the same: kgr load /p/my_own_6.ko`,
    ],
    [
      "a newer one, as after an earlier downgrade",
      () => machine(["kgraft_8"]),
      "kgraft_8, loaded before it, is not an earlier version of it",
      `${back}; or load the other all the same: kgr load /p/kgraft_8.ko`,
    ],
    [
      "one of the line that nothing tells of",
      () => without(machine(["kgraft_6"]), "/p/kgraft_6.json"),
      "kgraft_6 has no manifest that says what it is",
      `${back}; or load the other all the same: kgr load /p/kgraft_6.ko`,
    ],
    [
      "one that the machine went down with, rather than another patch",
      () => machine(["my_own_6"], { ...pairFiles(store, "kgraft_6"), ...wentDown("kgraft_6") }),
      "the machine went down with kgraft_6",
      `${back}; or load the other all the same: kgr load ${store}/kgraft_6.ko`,
    ],
  ])("%s", async (_, made, why, hint) => {
    const host = made();
    for (const options of [["--yes"], ["--dry-run"]]) {
      expect(await host.kgr("downgrade", ...options)).toEqual({
        status: 2,
        out: "",
        err: `kgr: cannot downgrade kgraft_7: ${why}\n     ${hint}\n`,
      });
    }
    expect((await host.kgr("patches")).out).toBe("kgraft_7\n");
  });

  test.each<[string, Record<string, string>, number, string]>([
    [
      "a manifest that is damaged",
      { "/p/kgraft_6.json": "{" },
      65,
      "cannot read manifest /p/kgraft_6.json: it is no JSON",
    ],
    ["a module that is not its manifest's", { "/p/kgraft_6.ko": "no module" }, 65, "/p/kgraft_6.ko"],
  ])("%s: refused before anything is changed", async (_, files, status, why) => {
    const host = machine(["kgraft_6"], { ...files, "/proc/modules": "kgraft_6 16384 0 - Live 0x0 (OEK)\n" });
    const result = await host.kgr("downgrade", "--yes");
    expect(result).toMatchObject({ status, out: "" });
    expect(result.err).toContain(why);
    expect(result.err).toMatch(/\n {5}\S/);
    expect(host.read("/proc/modules")).toContain("kgraft_6 ");
  });
});

function without(host: Machine, file: string): Machine {
  host.remove(file);
  return host;
}

test("kgr downgrade puts what was replaced, and is a module still, into force again", async () => {
  const host = machine(["kgraft_6"], {
    "/proc/modules": "kgraft_6 16384 0 - Live 0x0 (OEK)\n",
    "/sys/module/kgraft_6/refcnt": "0\n",
  });
  expect(await host.kgr("downgrade", "--yes")).toEqual({
    status: 0,
    out: "kgraft_6: ready, kgraft_7 gave way\n",
    err: "",
  });
});

test("kgr downgrade says that what is installed comes back with the next boot", async () => {
  const host = machine(["kgraft_6"], pairFiles(store, "kgraft_7"));
  expect((await host.kgr("downgrade", "--yes")).err).toBe(
    "kgr: kgraft_7 is still installed, and comes back with the next boot; end that with: kgr uninstall kgraft_7\n",
  );
});
