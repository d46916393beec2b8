/** Packages as the package managers' own tools see them. Nothing is installed on this machine. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  BadPackageInput,
  makeKeyring,
  makeMetapackage,
  makePackage,
  makePtf,
  type PackageFile,
  readPackageChangelog,
} from "../src/mod.ts";
import {
  cmdlinePatch,
  dateSeconds,
  hostToolPackages,
  initialPatch,
  maintainer,
  signal,
  testKernel,
} from "./built.ts";
import { lintianExceptions, rpmlintExceptions } from "./linters.ts";
import { newKey, publicKey } from "./scratch.ts";

let home: string;
let initial: string;
let second: string;
let packages: readonly PackageFile[];

const request = { formats: ["deb", "rpm"], maintainer, dateSeconds } as const;
const nextDay = { dateSeconds: dateSeconds + 86_400 };
const fixes = [
  { id: "CVE-2026-0002", title: "proc: 100% of the command line leaks" },
  { id: "bsc#1234", title: "" },
];
const folder = "/usr/lib/modules/6.1.0-55-cloud-amd64/updates/kgraft";

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kgraft-packages-"));
  initial = (await initialPatch(join(home, "built"))).modulePath;
  second = (await cmdlinePatch(join(home, "built"), "kgraft_patch_2_1", "second", fixes)).modulePath;
  const directory = join(home, "packages");
  const ofPtf = (await cmdlinePatch(join(home, "built"), "kgraft_patch_2_1_ptf1234", "ptf", fixes))
    .modulePath;
  const members = { livePatches: [ofPtf], others: [] };
  const first = await makePackage({ ...request, module: initial, directory }, { signal });
  const changelog = await readPackageChangelog(first.files[0]!.path, { signal }); // the .deb, by the formats' order
  packages = [
    ...first.files,
    ...(await makePackage({ ...request, ...nextDay, module: second, directory, changelog }, { signal }))
      .files,
    ...(await makeMetapackage({ ...request, kernel: await testKernel(), directory }, { signal })),
    ...(await hostToolPackages(directory)),
    ...(await makePtf({ ...request, directory, number: 1234, title: "proc: fix it", ...members }, { signal }))
      .files,
    ...(await keyringPackages(directory)),
  ];
});

async function keyringPackages(directory: string): Promise<readonly PackageFile[]> {
  const key = await publicKey(await newKey(join(home, "key.asc")));
  const where = { url: "http://patches.example.org", channel: "stable", origin: "kgraft" };
  const trust = { ...where, fingerprints: ["0123456789ABCDEF"], aptKeys: key, rpmKeys: key };
  return makeKeyring({ ...request, directory, trust }, { signal });
}
afterAll(async () => rm(home, { recursive: true }));

function paths(format: "deb" | "rpm"): readonly string[] {
  return packages.filter((one) => one.format === format).map(({ path }) => path);
}

function pathOf(name: string, version: string): string {
  return packages.find((one) => one.name === name && one.version === version)!.path; // made above
}

async function out(program: string, ...args: readonly string[]): Promise<string> {
  return (await execa(program, args)).stdout;
}

describe("makePackage()", () => {
  test("a .deb for the one kernel, with its fixes", async () => {
    const path = pathOf("kgraft-patch-6.1.0-55-cloud-amd64", "2-1");
    expect(await out("dpkg-deb", "--field", path, "Version", "Depends", "Kgraft-CVE", "Kgraft-Fixes")).toBe(
      [
        "Version: 2-1",
        "Depends: kgr, linux-image-6.1.0-55-cloud-amd64 (= 6.1.192-1) | linux-image-6.1.0-55-cloud-amd64-unsigned (= 6.1.192-1)",
        "Kgraft-CVE: CVE-2026-0002",
        "Kgraft-Fixes: bsc#1234",
      ].join("\n"),
    );
    const listing = await out("dpkg-deb", "--contents", path);
    const files = listing.split("\n").filter((line) => line.startsWith("-rw-r--r-- root/root"));
    expect(files.map((line) => line.split(" ./")[1])).toEqual([
      `${folder.slice(1)}/kgraft_patch_2_1.json`,
      `${folder.slice(1)}/kgraft_patch_2_1.ko`,
      "usr/share/doc/kgraft-patch-6.1.0-55-cloud-amd64/changelog.Debian.gz",
      "usr/share/doc/kgraft-patch-6.1.0-55-cloud-amd64/copyright",
    ]);
  });

  test("an .rpm under SUSE's name, with nothing of a kernel about it", async () => {
    const path = pathOf("kgraft-patch-6_1_0-55-cloud-amd64", "2-1");
    expect(await out("rpm", "-qp", "--list", path)).toBe(
      [folder, `${folder}/kgraft_patch_2_1.json`, `${folder}/kgraft_patch_2_1.ko`].join("\n"),
    );
    const requires = await out("rpm", "-qp", "--requires", path);
    expect(requires.split("\n")).toEqual(expect.arrayContaining(["kernel-cloud-amd64 = 6.1.0-55", "kgr"]));
    const provides = (await out("rpm", "-qp", "--provides", path)).split("\n");
    expect(provides.map((line) => line.replace(/\(x86-64\)/, ""))).toEqual([
      "kgraft-patch-6_1_0-55-cloud-amd64 = 2-1",
      "kgraft-patch-6_1_0-55-cloud-amd64 = 2-1",
    ]);
  });

  test("the changelog goes on from the version before, in both formats", async () => {
    const entries = await readPackageChangelog(pathOf("kgraft-patch-6.1.0-55-cloud-amd64", "2-1"), {
      signal,
    });
    expect(entries.map(({ version, changes, isSecurity }) => ({ version, changes, isSecurity }))).toEqual([
      {
        version: "2-1",
        changes: ["CVE-2026-0002: proc: 100% of the command line leaks", "bsc#1234"],
        isSecurity: true,
      },
      {
        version: "1-1",
        changes: ["Initial live patch of 6.1.0-55-cloud-amd64; it changes nothing"],
        isSecurity: false,
      },
    ]);
    expect(await out("rpm", "-qp", "--changelog", pathOf("kgraft-patch-6_1_0-55-cloud-amd64", "2-1"))).toBe(
      `* Thu Jan 02 2025 ${maintainer} - 2-1
- CVE-2026-0002: proc: 100% of the command line leaks
- bsc#1234

* Wed Jan 01 2025 ${maintainer} - 1-1
- Initial live patch of 6.1.0-55-cloud-amd64; it changes nothing
`,
    );
  });

  test("same inputs, same bytes, wherever and with whatever umask", async () => {
    const before = process.umask(0o077);
    try {
      const directory = await mkdtemp(join(tmpdir(), "kgraft-again-"));
      const again = [
        ...(await makePackage({ ...request, module: initial, directory }, { signal })).files,
        ...(await hostToolPackages(directory)),
      ];
      const sums = new Map(packages.map(({ path, sha256 }) => [path.split("/").at(-1), sha256]));
      for (const { path, sha256 } of again)
        expect([path, sha256]).toEqual([path, sums.get(path.split("/").at(-1))]);
      expect((await readdir(directory)).length).toBe(again.length);
      await rm(directory, { recursive: true });
    } finally {
      process.umask(before);
    }
  });

  test.each([
    [
      "a version that the module's name does not carry",
      { version: { counter: 3, rebuild: 1 } },
      /its name ends in another/,
    ],
    [
      "a module that is not there",
      { module: "/nowhere/x_1_1.ko" },
      /^cannot read \/nowhere\/x_1_1\.ko: it is not there$/,
    ],
  ])("refuses %s, and writes nothing", async (_, more, message) => {
    const directory = await mkdtemp(join(tmpdir(), "kgraft-refused-"));
    const made = makePackage({ ...request, module: initial, directory, ...more }, { signal });
    await expect(made).rejects.toThrow(message);
    await expect(made).rejects.toThrow(BadPackageInput);
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
  });

  test("refuses a module that is not its manifest's", async () => {
    const other = join(home, "built/kgraft_patch_9_1.ko");
    await writeFile(other, await readFile(initial));
    await writeFile(other.replace(".ko", ".json"), await readFile(initial.replace(".ko", ".json")));
    const made = makePackage({ ...request, module: other, directory: home }, { signal });
    await expect(made).rejects.toThrow(/its manifest is of kgraft_patch_1_1\.ko/);
  });

  test("refuses a manifest of another kernel than the module's", async () => {
    const edited = join(home, "edited");
    await mkdir(edited);
    const module = join(edited, "kgraft_patch_1_1.ko");
    const manifest = await readFile(initial.replace(".ko", ".json"), "utf8");
    await copyFile(initial, module);
    await writeFile(
      module.replace(".ko", ".json"),
      manifest.replace('"6.1.0-55-cloud-amd64"', '"6.1.0-54-cloud-amd64"'),
    );
    const made = makePackage({ ...request, module, directory: edited }, { signal });
    await expect(made).rejects.toThrow(
      /its manifest is of kernel 6\.1\.0-54-cloud-amd64, and the module itself of 6\.1\.0-55-cloud-amd64$/,
    );
    await expect(made).rejects.toThrow(BadPackageInput);
    expect(await readdir(edited)).toEqual(["kgraft_patch_1_1.json", "kgraft_patch_1_1.ko"]);
  });
});

test("makeHostTool() brings units, hooks, completions and the manual in both languages, for dpkg and rpm", async () => {
  const wanted = [
    "/usr/sbin/kgr",
    "/usr/lib/systemd/system/kgr-boot.service",
    "/usr/share/initramfs-tools/hooks/kgr",
    "/usr/lib/dracut/modules.d/90kgr/module-setup.sh",
    "/usr/share/bash-completion/completions/kgr",
    "/usr/share/fish/vendor_completions.d/kgr.fish",
    "/usr/share/man/man1/kgr.1.gz",
    "/usr/share/man/zh_TW/man1/kgr.1.gz",
  ];
  const deb = await out("dpkg-deb", "--contents", pathOf("kgr", "0.1.0-1"));
  const ofDeb = deb.split("\n").map((line) => /\.(\/\S+)/.exec(line)?.[1]);
  expect(ofDeb).toEqual(expect.arrayContaining([...wanted, "/usr/share/zsh/vendor-completions/_kgr"]));
  const rpm = paths("rpm").find((path) => path.includes("/kgr-0.1.0-1"))!; // made above
  const ofRpm = (await out("rpm", "-qp", "--list", rpm)).split("\n");
  // initramfs-tools is Debian's.
  expect(ofRpm).toEqual(expect.arrayContaining(wanted.filter((path) => !path.includes("initramfs-tools"))));
});

test("makeMetapackage() brings the live patches of the newest kernel", async () => {
  const deb = pathOf("kgraft-patch-cloud-amd64", "6.1.192-1");
  expect(await out("dpkg-deb", "--field", deb, "Depends")).toBe("kgraft-patch-6.1.0-55-cloud-amd64");
  const rpm = paths("rpm").find((path) => path.includes("kgraft-patch-cloud-amd64-6.1.192-1"))!; // made above
  expect(await out("rpm", "-qp", "--provides", rpm)).toContain("multiversion(kernel)");
  expect(await out("rpm", "-qp", "--requires", rpm)).toContain("kgraft-patch-6_1_0-55-cloud-amd64\n");
  expect(await out("rpm", "-qp", "--supplements", rpm)).toBe("(kgr and kernel-cloud-amd64 = 6.1.0-55)");
});

describe("makePtf()", () => {
  test("a master that is asked for, and members that do not go without it", async () => {
    const deb = pathOf("ptf-1234", "1-1");
    expect(await out("dpkg-deb", "--field", deb, "Provides", "Depends")).toBe(
      "Provides: ptf\nDepends: kgraft-patch-6.1.0-55-cloud-amd64 (>= 2-1.ptf1234)",
    );
    const member = pathOf("kgraft-patch-6.1.0-55-cloud-amd64", "2-1.ptf1234");
    expect(await out("dpkg-deb", "--field", member, "Provides", "Depends")).toMatch(
      /^Provides: ptf-package\nDepends: kgr, linux-image-.*, ptf-1234$/,
    );
    const [master = "", ofRpm = ""] = paths("rpm").filter((path) => path.includes("ptf"));
    expect(await out("rpm", "-qp", "--provides", master)).toMatch(/^ptf\(\) = 1-1$/m);
    expect(await out("rpm", "-qp", "--requires", master)).toContain(
      "kgraft-patch-6_1_0-55-cloud-amd64 >= 2-1.ptf1234",
    );
    expect(await out("rpm", "-qp", "--provides", ofRpm)).toMatch(/^ptf-package\(\)$/m);
    expect(await out("rpm", "-qp", "--requires", ofRpm)).toMatch(/^ptf-1234$/m);
  });

  test("one that brings another kernel: a warning here, in the description, and before the installation", async () => {
    const directory = join(home, "ptf-kernel");
    const others = [{ name: "linux-image-6.1.0-55-cloud-amd64", version: "6.1.192-1+ptf1235" }];
    const asked = {
      ...request,
      directory,
      number: 1235,
      title: "scheduler: fix a hang",
      livePatches: [],
      others,
    };
    const { files, warnings } = await makePtf(asked, { signal });
    expect(warnings).toEqual([
      expect.stringMatching(/^ptf-1235 brings another kernel .* no live patch applies/),
    ]);
    const [deb, rpm] = files.map(({ path }) => path) as [string, string];
    expect((await out("dpkg-deb", "--field", deb, "Description")).replaceAll(/\s+/g, " ")).toContain(
      warnings[0],
    );
    expect(await out("dpkg-deb", "--info", deb, "preinst")).toContain(`WARNING: ${warnings[0]}`);
    expect(await out("rpm", "-qp", "--queryformat", "%{PREIN}", rpm)).toContain(`WARNING: ${warnings[0]}`);
  });

  test("refuses one without members", async () => {
    const asked = { ...request, directory: home, number: 1236, title: "x", livePatches: [], others: [] };
    await expect(makePtf(asked, { signal })).rejects.toThrow(/it has 0 members/);
  });
});

test("lintian has nothing to say but the exceptions", async () => {
  const suppress = Object.keys(lintianExceptions).join(",");
  const options = ["--allow-root", "--pedantic", "--fail-on=warning,error", `--suppress-tags=${suppress}`];
  const { stdout, exitCode } = await execa("lintian", [...options, ...paths("deb")], { reject: false });
  // Pedantic: kgr(1) is about a program in /usr/sbin, as kGraft's own page was.
  expect(stdout.replace(/^P: kgr: manual-page-for-system-command .*\n?/m, "")).toBe("");
  expect(exitCode).toBe(0);
});

test("rpmlint has nothing to say but the exceptions", async () => {
  const config = join(home, "rpmlint.toml");
  const filters = Object.keys(rpmlintExceptions).map((name) => JSON.stringify(` ${name}( |$)`));
  await writeFile(config, `Filters = [${filters.join(", ")}]\n`);
  const { stdout } = await execa("rpmlint", ["-c", config, ...paths("rpm")], { reject: false });
  expect(stdout).toMatch(/7 packages and 0 specfiles checked; 0 errors, 0 warnings/);
});

test("shellcheck has nothing to say about the scriptlets, as POSIX sh", async () => {
  const scripts: string[] = [];
  for (const [index, path] of paths("deb").entries()) {
    const control = join(home, `control-${index}`);
    await execa("dpkg-deb", ["--control", path, control]);
    const names = (await readdir(control)).filter((name) => /^(?:pre|post)(?:inst|rm)$/.test(name));
    scripts.push(...names.map((name) => join(control, name)));
  }
  for (const [index, path] of paths("rpm").entries()) {
    for (const kind of ["PREIN", "POSTIN", "PREUN", "POSTUN"]) {
      const text = await out("rpm", "-qp", "--queryformat", `%{${kind}}`, path);
      const script = join(home, `rpm-${index}-${kind}`);
      if (text !== "(none)") await writeFile(script, `#!/bin/sh\n${text}\n`);
      if (text !== "(none)") scripts.push(script);
    }
  }
  expect(scripts.length).toBeGreaterThan(6);
  await execa("dpkg-deb", ["--extract", pathOf("kgr", "0.1.0-1"), join(home, "kgr")]);
  scripts.push(join(home, "kgr/usr/lib/kgr/live-patch-package"));
  const checked = await execa("shellcheck", ["--shell=sh", ...scripts], { reject: false });
  expect(checked.stdout).toBe("");
});
