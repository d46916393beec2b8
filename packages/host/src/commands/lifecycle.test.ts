/** The whole command over the machine's own dpkg and apt, which look at a database and a repository of the test. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { idleMachine, type Machine, makeMachine } from "../../test/machine.ts";

const release = "6.1.0-55-cloud-amd64";
const patch = `kgraft-patch-${release}`;

/** The real programs, with their own root. */
const programs = {
  "/usr/bin/dpkg-query": '#!/bin/sh\nexec dpkg-query --admindir="$ROOT/var/lib/dpkg" "$@"\n',
  "/usr/bin/apt-get":
    '#!/bin/sh\nexec apt-get -o Dir="$ROOT" -o Dir::Bin::methods=/usr/lib/apt/methods "$@"\n',
  "/usr/bin/apt-cache": '#!/bin/sh\nexec apt-cache -o Dir="$ROOT" "$@"\n',
};

const osRelease = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
ID=debian
VERSION_CODENAME=bookworm
SUPPORT_URL="https://www.debian.org/support"
`;
const kgraftProduct =
  "<product><vendor>kgraft</vendor><name>kgraft</name><summary>kgraft live patches</summary>" +
  "<register><flavor>extension</flavor></register><endoflife>2028-06-30</endoflife>" +
  "<codestream><name>Debian 12</name><endoflife>2030-01-01</endoflife></codestream></product>\n";

function stanza(name: string, version: string, status = "install ok installed"): string {
  return `Package: ${name}\nStatus: ${status}\nArchitecture: all\nVersion: ${version}\nMaintainer: a <a@b>\nDescription: x\n\n`;
}

interface Options {
  /** Packages by version, in the repository. */
  readonly available?: Readonly<Record<string, string>>;
  readonly data?: string;
  readonly files?: Readonly<Record<string, string>>;
}

function machineWith({ available = {}, data = "", files = {} }: Options = {}): Machine {
  const machine = makeMachine({
    ...idleMachine,
    ...programs,
    "/etc/os-release": `${osRelease}SUPPORT_END=2028-06-30\n`,
    "/var/lib/dpkg/status":
      stanza("bash", "5.2-1") +
      stanza("gone", "1", "deinstall ok config-files") +
      stanza(patch, "1-1") +
      stanza("zip", "3"),
    "/usr/share/lifecycle/data/kgraft.lifecycle": data,
    "/var/lib/apt/lists/partial/.keep": "",
    "/var/cache/apt/archives/partial/.keep": "",
    "/etc/apt/apt.conf.d/.keep": "",
    ...files,
  });
  const packages = Object.entries(available).map(
    ([name, version]) =>
      `Package: ${name}\nArchitecture: all\nVersion: ${version}\nMaintainer: a <a@b>\nFilename: ./x.deb\nSize: 1\nSHA256: ${"0".repeat(64)}\nDescription: x\n\n`,
  );
  machine.put({
    "/repository/Packages": packages.join(""),
    "/etc/apt/sources.list": `deb [trusted=yes] file:${machine.root}/repository ./\n`,
  });
  const env = { ...process.env, ROOT: machine.root };
  const updated = spawnSync(`${machine.root}/usr/bin/apt-get`, ["update"], { env, encoding: "utf8" });
  expect({ status: updated.status, err: updated.stderr }).toMatchObject({ status: 0 });
  return machine;
}

/** A row of products, of packages. */
const product = (name: string, end: string): string => `${name.padEnd(55)} ${end}\n`;
const row = (name: string, end: string, last = ""): string =>
  `${name.padEnd(40)} ${end.padEnd(40)} ${last}\n`;
const debian = `\n${product("Product end of support", "")}${product("Debian GNU/Linux 12 (bookworm)", "2028-06-30")}`;
const different = "\nPackage end of support if different from product:\n";

describe("kgr lifecycle", () => {
  test.each<[string, Options, string, number, string]>([
    ["no data", {}, "", 0, `${debian}\nNo packages with end of support different from product.\n\n`],
    [
      "a kernel's end, an update, and an end that has passed, by the end",
      { data: `${patch}, *, 2027-11-25\nzip, *, 2026-11-24`, available: { bash: "5.2-2" } },
      "",
      0,
      `${debian}${different}${row("bash", "Now, installed 5.2-1, update available 5.2-2", "2028-06-30")}` +
        `${row("zip", "Now")}${row(patch, "2027-11-25")}\n`,
    ],
    [
      "the last line that fits counts, and a version that is named is shown",
      { data: `zip,*,2027-01-01\nzip,3*,2027-02-01\nzip,4,2027-03-01` },
      "",
      0,
      `${debian}${different}${row("zip-4", "2027-02-01")}\n`,
    ],
    [
      "an update with an end of its own",
      { data: `${patch}, 1-*, 2027-01-01\n${patch}, 2-*, 2027-07-01`, available: { [patch]: "2-1" } },
      "",
      0,
      `${debian}${different}${row(`${patch}-2-*`, "2027-01-01, installed 1-1, update available 2-1", "2027-07-01")}\n`,
    ],
    [
      "a successor",
      { data: "z*p, *, , z<1>p-ng", available: { "zip-ng": "4", "zip-ngx": "5", "zap-ng": "9" } },
      "",
      0,
      `${debian}${different}${row("zip", "Now, installed 3, successor available zip-ng-4")}\n`,
    ],
    [
      "an extension with its codestream",
      { files: { "/etc/products.d/kgraft.prod": kgraftProduct } },
      "",
      0,
      `${debian}\n${product("Extension end of support", "")}${product("Codestream: Debian 12", "2030-01-01")}` +
        `${product("    Product: kgraft live patches", "2028-06-30")}\nNo packages with end of support different from product.\n\n`,
    ],
    [
      "a product whose end is still to come has a footnote",
      { files: { "/etc/os-release": osRelease } },
      "",
      0,
      `\n${product("Product end of support", "")}${product("Debian GNU/Linux 12 (bookworm)", "n/a*")}` +
        "\nNo packages with end of support different from product.\n\n*) See https://www.debian.org/support for latest information\n",
    ],
    [
      "by a day: nothing",
      {},
      "--date 2027-01-01",
      1,
      "\nNo products whose support ends before 2027-01-01.\n\nNo packages whose support ends before 2027-01-01.\n\n",
    ],
    [
      "by a day: what ends on it",
      { data: `${patch}, *, 2027-11-25\nzip,*,2027-11-26` },
      "--date 2027-11-25",
      0,
      `\nNo products whose support ends before 2027-11-25.\n\nPackage end of support before 2027-11-25:\n${row(patch, "2027-11-25")}\n`,
    ],
    [
      "by a day: the product, and its packages with it",
      {},
      "--date 2028-06-30",
      0,
      `\n${product("Product end of support before 2028-06-30", "")}${product("Debian GNU/Linux 12 (bookworm)", "2028-06-30")}` +
        "\nNo packages with end of support different from product.\n\n",
    ],
    [
      "in days from now",
      { data: "zip, *, 2026-11-26" },
      "--days 2",
      0,
      `\nNo products whose support ends before 2026-11-26.\n\nPackage end of support before 2026-11-26:\n${row("zip", "2026-11-26")}\n`,
    ],
    [
      "by name, in that order",
      { data: "zip, *, 2027-01-01" },
      "zip bash",
      0,
      `\nPackage end of support:\n${row("zip", "2027-01-01")}${row("bash", "2028-06-30")}\n`,
    ],
    [
      "by name, and not installed",
      {},
      "gone zip",
      1,
      `\nPackage end of support:\ngone is not installed\n${row("zip", "2028-06-30")}\n`,
    ],
  ])("%s", async (_, options, line, status, out) => {
    const words = line.split(" ").filter((word) => word !== "");
    expect(await machineWith(options).kgr("lifecycle", ...words)).toEqual({ status, out, err: "" });
  });

  test("-v tells which data was read", async () => {
    const { out } = await machineWith({ data: "zip,*,2027-01-01" }).kgr("lifecycle", "-v");
    expect(out).toContain(
      "trying to load /usr/lib/lifecycle/data/kgraft.lifecycle... No such file or directory - /usr/lib/lifecycle/data/kgraft.lifecycle\n" +
        "trying to load /usr/share/lifecycle/data/kgraft.lifecycle... ok\n",
    );
  });

  test("--save keeps a report, --diff shows what changed since", async () => {
    const machine = machineWith({ data: "zip, *, 2027-01-01" });
    const first = await machine.kgr("lifecycle", "--save", "/var/report.xml");
    expect(first.status).toBe(0);
    expect(machine.read("/var/report.xml")).toBe(
      "<report date='2026-11-24 14:00:00 +0000'>\n    <product name='debian' eol='1845936000'/>\n" +
        "    <package name='zip' edition='3' eol='1798761600'/>\n</report>\n",
    );
    const since = "2026-11-24 14:00:00 +0000";
    expect(await machine.kgr("lifecycle", "--diff", "/var/report.xml")).toEqual({
      status: 1,
      out:
        `Reporting changes since ${since}\n\nNo products changed since ${since}.\n` +
        `\nNo packages with end of support different from product changed since ${since}.\n\n`,
      err: "",
    });
    expect((await machine.kgr("lifecycle", "--diff", "/var/report.xml", "--date", "2027-06-01")).out).toBe(
      `Reporting changes since ${since}\n\nNo products whose support ends before 2027-06-01.\n` +
        "\nNo packages with end of support different from product.\n\n",
    );
    machine.put({ "/usr/share/lifecycle/data/kgraft.lifecycle": "zip, *, 2027-01-02" });
    expect(await machine.kgr("lifecycle", "--diff", "/var/report.xml")).toMatchObject({
      status: 0,
      out: `Reporting changes since ${since}\n\nNo products changed since ${since}.\n${different}${row("zip", "2027-01-02")}\n`,
    });
    expect((await machine.kgr("lifecycle", "--diff", "/none.xml")).out).toBe(
      `${debian}${different}${row("zip", "2027-01-02")}\n`,
    );
    expect((await machine.kgr("lifecycle", "-v", "--diff", "/none.xml")).out).toMatch(
      /^No such file or directory - \/none\.xml\n/,
    );
  });

  test.each<[string, Options, string, number, string]>([
    [
      "a line that cannot be read",
      { data: "zip,*,soon" },
      "",
      2,
      'kgr: cannot read /usr/share/lifecycle/data/kgraft.lifecycle: line 1: the date is "soon", wanted YYYY-MM-DD\n',
    ],
    [
      "a saved report that is none",
      { files: { "/r.xml": "<report/>" } },
      "--diff /r.xml",
      2,
      "kgr: cannot read /r.xml: it has no report with a date\n",
    ],
    [
      "a saved report without ends",
      { files: { "/r.xml": "<report date='2026-01-01 00:00:00 UTC'><product name='a' eol='x'/></report>" } },
      "--diff /r.xml",
      2,
      'kgr: cannot read /r.xml: a product has no name, or its eol is "x", wanted a number\n',
    ],
    ["a folder that is not there", {}, "--save /gone/r.xml", 2, "kgr: cannot write /gone/r.xml: ENOENT\n"],
    [
      "no day",
      {},
      "--date 2027-02-30",
      64,
      'kgr: cannot read --date: found "2027-02-30", wanted YYYY-MM-DD\n',
    ],
    ["no number", {}, "--days x", 64, 'kgr: cannot read --days: found "x", wanted a number of days\n'],
    [
      "no package manager",
      { files: { "/usr/bin/dpkg-query": "#!/bin/sh\nexit 2\n" } },
      "",
      2,
      "kgr: cannot list the installed packages: neither dpkg-query nor rpm answers\n",
    ],
  ])("refuses %s", async (_, options, line, status, err) => {
    const words = line.split(" ").filter((word) => word !== "");
    const result = await machineWith(options).kgr("lifecycle", ...words);
    expect({ ...result, err: result.err.split("\n")[0] }).toMatchObject({ status, err: err.trimEnd() });
  });
});

describe("coverage of the running kernel", () => {
  const cases: readonly (readonly [string, string, string, number | null])[] = [
    ["far away", `${patch}, *, 2027-11-25`, "ready\n", 366],
    [
      "near",
      `${patch}, *, 2026-12-24`,
      "ready\n    live patches until: 2026-12-24 (30 days left: install a newer kernel)\n",
      30,
    ],
    ["31 days", `${patch}, *, 2026-12-25`, "ready\n", 31],
    [
      "tomorrow, by rpm's name",
      "kgraft-patch-6_1_0-55-cloud-amd64, *, 2026-11-25",
      "ready\n    live patches until: 2026-11-25 (1 day left: install a newer kernel)\n",
      1,
    ],
    [
      "past, by a pattern",
      "kgraft-patch-*, *, 2026-11-24",
      "ready\n    live patches until: 2026-11-24 (ended: install a newer kernel)\n",
      0,
    ],
    ["of single versions only", `${patch}, 1-*, 2026-11-24`, "ready\n", null],
    ["of another kernel", "kgraft-patch-6.1.0-56-cloud-amd64, *, 2026-11-24", "ready\n", null],
  ];

  test.each(cases)("%s", async (_, data, out, daysLeft) => {
    const machine = makeMachine({ ...idleMachine, "/var/lib/lifecycle/data/SLES.lifecycle": data });
    expect(await machine.kgr("status", "-v")).toEqual({ status: 0, out, err: "" });
    const report = JSON.parse((await machine.kgr("status", "--json")).out) as {
      coverage: { daysLeft: number } | null;
    };
    expect(report.coverage?.daysLeft ?? null).toBe(daysLeft);
  });

  test("kgr metrics has its end", async () => {
    const machine = makeMachine({
      ...idleMachine,
      "/usr/lib/lifecycle/data/kgraft.lifecycle": `${patch}, *, 2027-11-25`,
    });
    const { out } = await machine.kgr("metrics");
    expect(out).toContain(`\nkgr_lifecycle_info{release="${release}",until="2027-11-25"} 1\n`);
    expect(out).toContain(`\nkgr_lifecycle_end_timestamp_seconds{release="${release}"} 1827100800\n`);
    machine.remove("/usr/lib/lifecycle/data/kgraft.lifecycle");
    expect((await machine.kgr("metrics")).out).not.toContain("kgr_lifecycle");
  });
});
