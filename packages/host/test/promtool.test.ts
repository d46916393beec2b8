/** Metrics, as Prometheus' own checker reads them, and as its node_exporter serves them. */
import { spawn } from "node:child_process";
import path from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { idleMachine, livePatchFiles, makeMachine, manifestText, threadFiles } from "./machine.ts";
import { complaints, fetchProgram } from "./prometheus-programs.ts";
import { pairFiles, sha256Of, store } from "./store.ts";

let exporter = "";

beforeAll(async () => {
  exporter = await fetchProgram("prometheus-node-exporter", "prometheus-node-exporter");
});

test.each<[string, Readonly<Record<string, string | Uint8Array>>, RegExp]>([
  ["idle", idleMachine, /^kgr_boot_enabled 1$/m],
  ["without live patching", { "/proc/sys/kernel/osrelease": "6.1.0\n" }, /^kgr_livepatch_supported 0$/m],
  [
    "with a patch in force",
    {
      ...idleMachine,
      ...livePatchFiles("lp_demo", 1, 0),
      "/run/kgr/in-force.json": '{"CVE-1":0}',
      "/run/kgr/lp_demo.json": manifestText({
        fixes: [
          { id: "CVE-1", title: "a", cvss: { vector: "CVSS:3.1/AV:L/AC:L", score: 7.8 } },
          { id: 'a "b" \\ c\nd ü', title: "" },
        ],
        effective: { release: "6.1.0-58-cloud-amd64", packageVersion: "6.1.201-1" },
      }),
    },
    /^kgr_fixes_in_force 2$/m,
  ],
  [
    "in transition",
    {
      ...idleMachine,
      ...livePatchFiles("lp_demo", 1, 1),
      ...livePatchFiles("b", 0, 0),
      ...threadFiles(3, 3, "0"),
    },
    /^kgr_blocking_tasks 1$/m,
  ],
  [
    "with a patch that the crash guard holds",
    {
      ...idleMachine,
      ...pairFiles(store, "kgraft_2"),
      ...pairFiles(store, "kgraft_1"),
      "/proc/sys/kernel/random/boot_id": "boot-2\n",
      "/var/lib/kgr/inserting.json": JSON.stringify({
        name: "kgraft_2",
        sha256: sha256Of("kgraft_2"),
        bootId: "boot-1",
        atMs: 0,
      }),
    },
    /^kgr_boot_patch_held\{patch="kgraft_2"\} 1\nkgr_boot_patch_held\{patch="kgraft_1"\} 0$/m,
  ],
])("kgr metrics of a machine that is %s", async (_, files, wanted) => {
  const { status, out } = await makeMachine(files).kgr("metrics");
  expect(status).toBe(0);
  expect(out).toMatch(wanted);
  expect(await complaints(out)).toBe("status 0\n");
});

test("promtool refuses what is no metrics", async () => {
  expect(await complaints('kgr_x{a="b} 1\n')).toContain("status 1");
});

/** Starts the exporter on a free port of this machine's own, with no other collector. @returns what it serves */
async function serve(folder: string): Promise<string> {
  const server = spawn(exporter, [
    "--collector.disable-defaults",
    "--collector.textfile",
    `--collector.textfile.directory=${folder}`,
    "--web.listen-address=127.0.0.1:0",
  ]);
  onTestFinished(() => void server.kill());
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = "";
  server.stderr.on("data", (piece: Buffer) => {
    said += piece.toString();
    const [, address] = /Listening on.* address=(\S+)/.exec(said) ?? [];
    if (address !== undefined) resolve(address);
  });
  server.on("close", () => reject(new Error(said)));
  return (await fetch(`http://${await promise}/metrics`)).text();
}

/** kgr's metrics with their labels; the exporter puts labels in their order. */
function namesIn(text: string): readonly string[] {
  const lines = text.split("\n").filter((line) => line.startsWith("kgr_"));
  const names = lines.map((line) => [/^\w+/.exec(line)?.[0], ...labelsIn(line)].join(" "));
  return names.toSorted();
}

function labelsIn(line: string): readonly string[] {
  return [...line.matchAll(/\w+="(?:[^"\\]|\\.)*"/g)].map(([label]) => label).toSorted();
}

test("node_exporter serves all that kgr metrics -o has written", async () => {
  const machine = makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 0),
    "/run/kgr/lp_demo.json": manifestText({
      fixes: [{ id: 'CVE-1 "x" \\ ü', title: "", cvss: { vector: "CVSS:3.1/AV:L/AC:L", score: 7.8 } }],
    }),
    "/textfile/.keep": "",
  });
  expect(await machine.kgr("metrics", "-o", "/textfile/kgr.prom")).toMatchObject({ status: 0 });
  const served = await serve(path.join(machine.root, "textfile"));
  expect(served).toContain("\nnode_textfile_scrape_error 0\n");
  expect(served).toContain("\nkgr_fixes_in_force 1\n");
  expect(namesIn(served)).toEqual(namesIn(machine.read("/textfile/kgr.prom")));
});
