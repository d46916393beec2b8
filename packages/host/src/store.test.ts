import { describe, expect, test } from "vitest";
import { isThere } from "../test/machine.ts";
import { machineWithStore, pairFiles, sha256Of, store } from "../test/store.ts";
import { installedPatch, installedPatches } from "./store.ts";

const release = "6.1.0-55-cloud-amd64";
const next = `${store}/kgraft_1.next.json`;

describe("installedPatch()", () => {
  test.each([
    [["kgraft_9", "kgraft_10"], "kgraft_10"],
    [["kgraft_6_1_192", "kgraft_6_1_201", "kgraft_6_1_99"], "kgraft_6_1_201"],
    [["a_2", "b_1"], "b_1"],
    [[], null],
  ])("of %j is %s", async (names, newest) => {
    const { system } = machineWithStore(Object.assign({}, ...names.map((name) => pairFiles(store, name))));
    expect((await installedPatch(system, release))?.name ?? null).toBe(newest);
  });

  test.each([
    ["without a manifest", { [`${store}/kgraft_2.ko`]: "" }],
    ["without a module", { [`${store}/kgraft_2.json`]: "{}" }],
    ["with a damaged manifest", { [`${store}/kgraft_2.ko`]: "", [`${store}/kgraft_2.json`]: '{"a' }],
    ["that is empty", { ...pairFiles(store, "kgraft_2"), [`${store}/kgraft_2.ko`]: "" }],
    ["that is cut off", { ...pairFiles(store, "kgraft_2"), [`${store}/kgraft_2.ko`]: "x" }],
    ["with another's manifest", { ...pairFiles(store, "kgraft_2"), ...renamed("kgraft_1", "kgraft_2") }],
    ["not yet renamed", { [`${store}/kgraft_2.ko.new`]: "", [`${store}/kgraft_2.json.new`]: "{}" }],
    ["with a name that no module has", pairFiles(store, "a b")],
  ])("passes over one %s", async (_, files) => {
    const { system } = machineWithStore({ ...pairFiles(store, "kgraft_1"), ...files });
    expect((await installedPatches(system, release)).map(({ name }) => name)).toEqual(["kgraft_1"]);
  });

  test("of another kernel release counts for that one", async () => {
    const { system } = machineWithStore(pairFiles(store, "kgraft_1"));
    expect(await installedPatch(system, "6.1.0-56-cloud-amd64")).toBeNull();
  });

  test.each([
    [1, 2, "while the module is still the old one"],
    [2, 1, "when the module is the new one"],
  ])("with two manifests is module %i with its own, %#", async (build, other) => {
    const manifest = pairFiles("", "kgraft_1", other)["/kgraft_1.json"] ?? "";
    const { system } = machineWithStore({ ...pairFiles(store, "kgraft_1", build), [next]: manifest });
    const patch = await installedPatch(system, release);
    expect(patch?.manifest.module.sha256).toBe(sha256Of("kgraft_1", build));
  });
});

function renamed(from: string, to: string): Record<string, string | Uint8Array> {
  return { [`${store}/${to}.json`]: pairFiles("", from)[`/${from}.json`] ?? "" };
}

describe("kgr install", () => {
  test("copies both files, and they are installed", async () => {
    const host = machineWithStore(pairFiles("/p", "kgraft_1"));
    expect(await host.kgr("install", "/p/kgraft_1.ko")).toEqual({
      status: 0,
      out: `kgraft_1: installed for ${release}, in force from its next boot on; now: kgr load /p/kgraft_1.ko\n`,
      err: "",
    });
    expect(host.system.readDirectory(store).toSorted()).toEqual(["kgraft_1.json", "kgraft_1.ko"]);
    expect((await host.kgr("-v", "status")).out).toContain("    at boot: kgraft_1\n");
  });

  test("takes the place of another build of that name, and leaves nothing behind", async () => {
    const host = machineWithStore({
      ...pairFiles(store, "kgraft_1", 1),
      ...pairFiles("/p", "kgraft_1", 2),
      [next]: "left over",
      [`${store}/kgraft_1.ko.new`]: "left over",
    });
    expect(await host.kgr("install", "/p/kgraft_1.ko")).toMatchObject({ status: 0 });
    expect((await installedPatch(host.system, release))?.manifest.module.sha256).toBe(
      sha256Of("kgraft_1", 2),
    );
    expect(host.system.readDirectory(store).toSorted()).toEqual(["kgraft_1.json", "kgraft_1.ko"]);
  });

  test("on a full file system leaves what was there", async () => {
    const host = machineWithStore({ ...pairFiles(store, "kgraft_1", 1), ...pairFiles("/p", "kgraft_1", 2) });
    host.put({ [`${store}/kgraft_1.json.new/is a folder`]: "" });
    expect(await host.kgr("install", "/p/kgraft_1.ko")).toMatchObject({ status: 74 });
    expect((await installedPatch(host.system, release))?.manifest.module.sha256).toBe(
      sha256Of("kgraft_1", 1),
    );
    expect(isThere(host, `${store}/kgraft_1.ko.new`)).toBe(false);
  });

  test("refuses one without a manifest, of another file, and for a kernel that is not there", async () => {
    const host = machineWithStore({ ...pairFiles("/p", "kgraft_1"), ...pairFiles("/q", "kgraft_1") });
    host.put({ "/q/kgraft_1.json": String(pairFiles("", "kgraft_1", 2)["/kgraft_1.json"]) });
    expect(await host.kgr("install", "/q/kgraft_1.ko")).toMatchObject({ status: 65 });
    host.remove("/p/kgraft_1.json");
    expect(await host.kgr("install", "/p/kgraft_1.ko")).toMatchObject({ status: 66 });
    host.put(pairFiles("/p", "kgraft_1"));
    host.remove("/usr/lib/modules");
    const { status, err } = await host.kgr("install", "/p/kgraft_1.ko");
    expect(status).toBe(66);
    expect(err).toContain("kernel 6.1.0-55-cloud-amd64 is not installed");
  });

  test("names the file that may be meant where there is none", async () => {
    const host = machineWithStore(pairFiles("/p", "kgraft_1"));
    expect(await host.kgr("install", "/p/kgraft_1")).toEqual({
      status: 66,
      out: "",
      err: "kgr: cannot install /p/kgraft_1: there is no such file\n     type: kgr install /p/kgraft_1.ko\n",
    });
  });

  test("--dry-run changes nothing", async () => {
    const host = machineWithStore(pairFiles("/p", "kgraft_1"));
    expect(await host.kgr("install", "/p/kgraft_1.ko", "--dry-run")).toMatchObject({ status: 0 });
    expect(isThere(host, store)).toBe(false);
  });
});

describe("kgr uninstall", () => {
  test("removes it, and says what stays in force", async () => {
    const host = machineWithStore(pairFiles(store, "kgraft_1"));
    await host.kgr("boot");
    const { status, out } = await host.kgr("uninstall", "kgraft_1");
    expect({ status, out }).toEqual({
      status: 0,
      out:
        "kgraft_1: uninstalled\n" +
        "kgraft_1: in force until the next boot; end that now with: kgr disable kgraft_1\n",
    });
    expect(host.system.readDirectory(store)).toEqual([]);
  });

  test("of one that is not installed is an error", async () => {
    expect(await machineWithStore().kgr("uninstall", "kgraft_1")).toMatchObject({ status: 66, out: "" });
  });
});
