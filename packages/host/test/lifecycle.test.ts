/** kgr lifecycle over the real rpm, zypper and dnf, which look at a database and a repository of the test. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { idleMachine, type Machine, makeMachine } from "./machine.ts";

const patch = "kgraft-patch-6_1_0-55-default";
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "kgr-lifecycle-rpm-"));
  for (const [name, version, epoch] of [
    [patch, "1", 0],
    [patch, "2", 0],
    ["tool", "3", 1],
    ["tool-ng", "4", 1],
  ] as const) {
    buildRpm(name, version, epoch);
  }
  execFileSync("createrepo_c", ["--quiet", path.join(folder, "RPMS")]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A package without files. */
function buildRpm(name: string, version: string, epoch: number): void {
  mkdirSync(path.join(folder, "SPECS"), { recursive: true });
  const spec = path.join(folder, "SPECS", `${name}.spec`);
  writeFileSync(
    spec,
    `Name: ${name}\nVersion: ${version}\nRelease: 1\n${epoch > 0 ? `Epoch: ${epoch}\n` : ""}Summary: x\nLicense: GPL-2.0\nBuildArch: noarch\n%description\nx\n%files\n`,
  );
  execFileSync("rpmbuild", ["-bb", "--define", `_topdir ${folder}`, spec], { stdio: "pipe" });
}

/** Where each keeps its database: Debian's rpm, and dnf with it, elsewhere than the distributions that live by it. */
const databases = {
  zypper: "/var/lib/rpm",
  dnf: execFileSync("rpm", ["--eval", "%_dbpath"]).toString().trim(),
};

/** The real programs, with their own root. */
const programs = {
  zypper: '#!/bin/sh\nexec zypper --root "$ROOT" "$@"\n',
  dnf: '#!/bin/sh\nexec dnf --installroot="$ROOT" --setopt=cachedir=/var/cache/dnf --releasever=1 "$@"\n',
};

function machineWith(manager: "zypper" | "dnf", data: string): Machine {
  const machine = makeMachine({
    ...idleMachine,
    "/usr/bin/rpm": `#!/bin/sh\nexec rpm --dbpath "$ROOT${databases[manager]}" "$@"\n`,
    [`/usr/bin/${manager}`]: programs[manager],
    "/etc/products.d/SLES.prod":
      '<?xml version="1.0"?>\n<product schemeversion="0"><vendor>SUSE</vendor><name>SLES</name><version>12.5</version>' +
      "<release>0</release><endoflife></endoflife><arch>x86_64</arch><register><target>sle-12-x86_64</target></register>" +
      "<summary>SUSE Linux Enterprise Server 12 SP5</summary></product>\n",
    "/usr/lib/lifecycle/data/SLES.lifecycle": data,
  });
  execFileSync("ln", ["-s", "SLES.prod", `${machine.root}/etc/products.d/baseproduct`]);
  const env = { ...process.env, ROOT: machine.root };
  const rpms = [`${patch}-1-1.noarch.rpm`, "tool-3-1.noarch.rpm"].map((name) =>
    path.join(folder, "RPMS/noarch", name),
  );
  execFileSync(`${machine.root}/usr/bin/rpm`, ["--install", "--justdb", "--nodeps", ...rpms], {
    env,
    stdio: "pipe",
  });
  const repository = `[test]\nname=test\nbaseurl=file://${folder}/RPMS\nenabled=1\ngpgcheck=0\n`;
  machine.put({
    "/etc/zypp/repos.d/test.repo": `${repository}autorefresh=0\n`,
    "/etc/yum.repos.d/test.repo": repository,
  });
  const refresh = { zypper: ["--no-gpg-checks", "refresh"], dnf: ["makecache"] }[manager];
  execFileSync(`${machine.root}/usr/bin/${manager}`, refresh, { env, stdio: "pipe" });
  return machine;
}

const product = (name: string, end: string): string => `${name.padEnd(55)} ${end}\n`;
const row = (name: string, end: string, last = ""): string =>
  `${name.padEnd(40)} ${end.padEnd(40)} ${last}\n`;

test.each(["zypper", "dnf"] as const)(
  "kgr lifecycle with %s: an update, its end, and a successor",
  async (manager) => {
    const data = `# SLES\n${patch}, 1-*, 2027-03-01\nkgraft-patch-*, 2-*, 2027-09-01\ntool, *, , /^<0>-ng$/\n`;
    expect(await machineWith(manager, data).kgr("lifecycle")).toEqual({
      status: 0,
      out:
        `\n${product("Product end of support", "")}${product("SUSE Linux Enterprise Server 12 SP5", "n/a*")}` +
        "\nPackage end of support if different from product:\n" +
        row("tool", "Now, installed 1:3-1, successor available tool-ng-1:4-1") +
        row(`${patch}-2-*`, "2027-03-01, installed 1-1, update available 2-1", "2027-09-01") +
        "\n*) See https://www.suse.com/lifecycle for latest information\n",
      err: "",
    });
  },
);

test("kgr lifecycle with rpm alone: the product's end for a package that no line speaks of", async () => {
  const machine = machineWith("dnf", `${patch}, *, 2026-11-24\n`);
  machine.remove("/usr/bin/dnf");
  expect(await machine.kgr("lifecycle", "tool", patch)).toEqual({
    status: 0,
    out:
      `\nPackage end of support:\n${row("tool", "n/a*")}${row(patch, "Now")}` +
      "\n*) See https://www.suse.com/lifecycle for latest information\n",
    err: "",
  });
});
