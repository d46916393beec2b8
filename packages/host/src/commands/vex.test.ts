import { describe, expect, test } from "vitest";
import { idleMachine, livePatchFiles, type Machine, makeMachine, manifestText } from "../../test/machine.ts";
import { csafComplaints, openVexComplaints, packageUrl } from "../../test/vex-checkers.ts";

const uuid = "3f1c6a52-0d0e-4c2e-9a55-7b3f2f1d9c10";
const purl = "pkg:deb/debian/linux-image-6.1.0-55-cloud-amd64@6.1.192-1?arch=amd64";
const fixes = [
  { id: "CVE-2026-0001", title: 'a "quoted"\nleak' },
  { id: "bsc#1", title: "no vulnerability" },
  {
    id: "CVE-2026-0002",
    title: "",
    cvss: { vector: "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", score: 7.8 },
  },
];

function machine(changes: object = { fixes }, transition: 0 | 1 = 0): Machine {
  const host = makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, transition),
    "/run/kgr/lp_demo.json": manifestText(changes),
    "/proc/sys/kernel/random/uuid": `${uuid}\n`,
    "/proc/sys/kernel/hostname": "web-1\n",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n',
  });
  return host;
}

async function document(host: Machine, ...argv: string[]): Promise<unknown> {
  const { status, out, err } = await host.kgr("vex", ...argv);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  return JSON.parse(out);
}

describe("kgr vex", () => {
  test("writes OpenVEX: each CVE that is fixed, for the running kernel's package", async () => {
    const host = machine();
    await host.system.sleep(90_000);
    host.put({ "/run/kgr/in-force.json": '{"CVE-2026-0001":30000}' });
    const written = await document(host);
    expect(openVexComplaints(written)).toEqual([]);
    const product = { "@id": purl, identifiers: { purl } };
    expect(written).toMatchObject({
      "@id": `urn:uuid:${uuid}`,
      author: "kgr on web-1",
      timestamp: "2026-11-24T14:01:30Z",
      statements: [
        {
          vulnerability: { name: "CVE-2026-0001", description: 'a "quoted"\nleak' },
          timestamp: "2026-11-24T14:00:30Z",
          products: [product],
          status: "fixed",
        },
        { vulnerability: { name: "CVE-2026-0002" }, timestamp: "2026-11-24T14:01:30Z", products: [product] },
      ],
    });
  });

  test("writes CSAF's VEX profile, which its validator accepts without a word", async () => {
    const host = machine();
    host.put({ "/run/kgr/in-force.json": '{"CVE-2026-0001":0}' });
    const written = await document(host, "--format", "csaf");
    expect(await csafComplaints(written)).toEqual([]);
    expect(written).toMatchObject({
      document: { category: "csaf_vex", publisher: { name: "web-1" } },
      vulnerabilities: [
        { cve: "CVE-2026-0001", product_status: { fixed: ["kernel"] } },
        { cve: "CVE-2026-0002", product_status: { fixed: ["kernel"] } },
      ],
    });
  });

  test("names the package as scanners do", () => {
    expect(packageUrl(purl)).toEqual({
      type: "deb",
      namespace: "debian",
      name: "linux-image-6.1.0-55-cloud-amd64",
      version: "6.1.192-1",
      qualifiers: { arch: "amd64" },
    });
  });

  test("of another distribution and a version that needs escapes", async () => {
    const host = machine({
      fixes,
      kernel: {
        release: "6.8.0-31-generic",
        packageVersion: "6.8.0-31.31~22.04.1+x",
        architecture: "amd64",
        buildId: "abcdef0123456789",
      },
    });
    host.put({ "/etc/os-release": 'ID="ubuntu"\n' });
    const { statements } = (await document(host)) as { statements: { products: { "@id": string }[] }[] };
    expect(packageUrl(statements[0]?.products[0]?.["@id"] ?? "")).toMatchObject({
      namespace: "ubuntu",
      version: "6.8.0-31.31~22.04.1+x",
    });
  });

  test("-o replaces a file as a whole", async () => {
    const host = machine();
    host.put({ "/var/vex.json": "old" });
    expect(await host.kgr("vex", "-o", "/var/vex.json")).toEqual({ status: 0, out: "", err: "" });
    expect(openVexComplaints(JSON.parse(host.read("/var/vex.json")))).toEqual([]);
  });

  test.each([
    ["nothing is loaded", () => makeMachine(idleMachine)],
    ["the patch is still in transition", () => machine({ fixes }, 1)],
    ["nothing of it is a CVE", () => machine({ fixes: [{ id: "bsc#1", title: "x" }] })],
  ])("writes nothing where %s", async (_, host) => {
    const { status, out, err } = await host().kgr("vex");
    expect({ status, out }).toEqual({ status: 66, out: "" });
    expect(err).toContain("no live patch in force is known to fix a CVE");
  });
});

describe("the checkers", () => {
  test("refuse what is wrong", async () => {
    const written = (await document(machine(), "--format", "csaf")) as {
      document: object;
      vulnerabilities: object[];
    };
    const vulnerabilities = [{ ...written.vulnerabilities[0], product_status: { fixed: ["other"] } }];
    expect(await csafComplaints({ ...written, vulnerabilities })).not.toEqual([]);
    const other = (await document(machine())) as object;
    expect(openVexComplaints({ ...other, statements: [] })).not.toEqual([]);
    expect(openVexComplaints({ ...other, timestamp: "yesterday" })).not.toEqual([]);
  });
});
