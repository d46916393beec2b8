/** The line RPM of `kgr -v patches`, by the real dpkg and rpm: name, version, release and architecture. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { idleMachine, livePatchFiles, type Machine, makeMachine } from "./machine.ts";

function patched(file: string, programs: Readonly<Record<string, string>>): Machine {
  return makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 0),
    "/run/kgr/load-history.json": JSON.stringify([{ name: "lp_demo", path: file }]),
    ...programs,
  });
}

function said(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { stdio: "pipe" }).toString().trim();
}

/** The real apt, which knows this machine's packages, and of newer ones what $ROOT/repository has. */
const apt = `#!/bin/sh
exec apt-get -o Dir="$ROOT" -o Dir::Bin::methods=/usr/lib/apt/methods -o Dir::State::status=/var/lib/dpkg/status "$@"
`;

test("a package of dpkg, and the newer version that apt would install", async () => {
  const host = patched("/usr/bin/dpkg", {
    "/usr/bin/dpkg-query": '#!/bin/sh\nexec dpkg-query "$@"\n',
    "/usr/bin/apt-get": apt,
    "/var/lib/apt/lists/partial/.keep": "",
    "/var/cache/apt/archives/partial/.keep": "",
    "/etc/apt/apt.conf.d/.keep": "",
    "/etc/apt/preferences.d/.keep": "",
    "/repository/Packages": `Package: dpkg\nArchitecture: amd64\nVersion: 1:9999\nFilename: ./x.deb\nSize: 1\nSHA256: ${"0".repeat(64)}\nMaintainer: a <a@b>\nDescription: x\n`,
  });
  host.put({ "/etc/apt/sources.list": `deb [trusted=yes] file:${host.root}/repository ./\n` });
  const env = { ...process.env, ROOT: host.root };
  execFileSync(`${host.root}/usr/bin/apt-get`, ["update"], { env, stdio: "pipe" });
  const version = said("dpkg-query", "-W", "-f", "${Version}.${Architecture}", "dpkg");
  expect((await host.kgr("-v", "patches")).out).toContain(`\n    RPM: dpkg-${version}\n`);
  expect((await host.kgr("-v", "-v", "patches")).out).toContain("\n    update available: 1:9999\n");
  // One that the administrator does not want is none.
  host.put({ "/etc/apt/preferences.d/no": "Package: dpkg\nPin: version 1:9999\nPin-Priority: -1\n" });
  expect((await host.kgr("-v", "-v", "patches")).out).not.toContain("update available");
});

test("a file that came in no package", async () => {
  const host = patched("/tmp/lp_demo.ko", { "/usr/bin/dpkg-query": '#!/bin/sh\nexec dpkg-query "$@"\n' });
  expect((await host.kgr("-v", "patches")).out).toContain("\n    RPM: (none)\n");
});

test("a package of rpm", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "kgr-rpm-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const spec = path.join(folder, "patch.spec");
  const name = "kgraft-patch-3_12_51-60_25-default";
  mkdirSync(path.join(folder, "db"));
  writeFileSync(
    spec,
    `Name: ${name}\nVersion: 3\nRelease: 2.1\nSummary: x\nLicense: GPL-2.0\nBuildArch: noarch\n%description\nx\n` +
      "%install\nmkdir -p %{buildroot}/p; echo x >%{buildroot}/p/lp_demo.ko\n%files\n/p/lp_demo.ko\n",
  );
  said("rpmbuild", "-bb", "--define", `_topdir ${folder}`, spec);
  const file = path.join(folder, "RPMS/noarch", `${name}-3-2.1.noarch.rpm`);
  said("rpm", "--dbpath", path.join(folder, "db"), "-i", "--justdb", "--nodeps", file);
  const host = patched("/p/lp_demo.ko", {
    "/usr/bin/rpm": `#!/bin/sh\nexec rpm --dbpath ${path.join(folder, "db")} "$@"\n`,
  });
  expect((await host.kgr("-v", "patches")).out).toContain(`\n    RPM: ${name}-3-2.1.noarch\n`);
});

test("until when live patches are made for this kernel", async () => {
  const host = patched("/tmp/lp_demo.ko", {
    "/usr/lib/lifecycle/data/kgraft.lifecycle": "kgraft-patch-6.1.0-55-cloud-amd64, *, 2028-06-30\n",
  });
  expect((await host.kgr("-v", "-v", "patches")).out).toContain("\n    expiration: 2028-06-30\n");
  expect((await host.kgr("-v", "patches")).out).not.toContain("expiration");
});
