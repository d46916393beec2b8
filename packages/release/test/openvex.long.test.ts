/** OpenVEX documents as others read them: by go-vex, the project's own library, from Debian sid, in a root of its own. */
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aptSources } from "@kgraft/kernel";
import { execa } from "execa";
import { expect, test } from "vitest";
import { makeAdvisory } from "../src/advisory/make-advisory.ts";
import { openVexDocument } from "../src/advisory/openvex.ts";
import { idleMachine, livePatchFiles, makeMachine, manifestText } from "../../host/test/machine.ts";
import { manifestOf } from "./make-package.ts";
import { scratch } from "./scratch.ts";

const purl = (version: string): string =>
  `pkg:deb/debian/kgraft-patch-6.1.0-55-cloud-amd64@${version}?arch=amd64&distro=debian-12`;
const deb = {
  format: "deb",
  name: "kgraft-patch-6.1.0-55-cloud-amd64",
  version: "2-1",
  architecture: "amd64",
  file: "a.deb",
} as const;

const image = (version: string): string =>
  `pkg:deb/debian/linux-image-6.1.0-55-cloud-amd64@${version}?arch=amd64`;

/** What kgr writes on a machine with such a live patch in force. */
async function machineDocument(): Promise<string> {
  const machine = makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 0),
    "/run/kgr/lp_demo.json": manifestText({ fixes: [{ id: "CVE-2026-1234", title: "a leak" }] }),
    "/run/kgr/in-force.json": '{"CVE-2026-1234":0}',
    "/proc/sys/kernel/random/uuid": "3f1c6a52-0d0e-4c2e-9a55-7b3f2f1d9c10\n",
    "/proc/sys/kernel/hostname": "web-1\n",
    "/etc/os-release": "ID=debian\n",
  });
  const { out, err } = await machine.kgr("vex");
  expect(err).toBe("");
  return out;
}

test("go-vex reads what is published and what kgr vex writes, before and after it is retracted, and finds the very package", async () => {
  await using place = await scratch();
  const at = (name: string): string => join(place.path, name);
  const advisory = makeAdvisory(manifestOf({ counter: 2 }), deb, undefined, 1_795_574_400);
  const retracted = { ...advisory, status: "retracted", reason: "it deadlocks" } as const;
  await writeFile(at("stable.json"), JSON.stringify(openVexDocument(advisory, "Example")));
  await writeFile(at("retracted.json"), JSON.stringify(openVexDocument(retracted, "Example")));
  await writeFile(
    at("broken.json"),
    JSON.stringify(openVexDocument(advisory, "Example")).replace("fixed", "mended"),
  );
  await writeFile(at("machine.json"), await machineDocument());
  await copyFile(join(import.meta.dirname, "openvex/read.go"), at("read.go"));
  await writeFile(at("sid.list"), await aptSources("sid"));
  const asked = ["CVE-2026-1234", purl("2-1"), purl("1-1")].map((word) => `'${word}'`).join(" ");
  const script = [
    "cd /vex; export HOME=/tmp GO111MODULE=off GOPATH=/usr/share/gocode; go build -o /tmp/read read.go",
    ...["stable", "retracted", "broken"].map((name) => `/tmp/read ${name}.json ${asked} >>said || :`),
    `/tmp/read machine.json CVE-2026-1234 '${image("6.1.192-1")}' '${image("6.1.193-1")}' >>said || :`,
  ];
  await execa(
    "mmdebstrap",
    [
      "--quiet",
      "--variant=apt",
      // A mirror that stands still is as good.
      '--aptopt=Acquire::Check-Valid-Until "false"',
      "--include=golang-go,golang-github-openvex-go-vex-dev",
      "--customize-hook=mkdir $1/vex",
      "--customize-hook=copy-in read.go stable.json retracted.json broken.json machine.json /vex",
      `--chrooted-customize-hook=${script.join("\n")}`,
      "--customize-hook=copy-out /vex/said .",
      "--format=null",
      "sid",
      "-",
      "sid.list",
    ],
    { cwd: place.path, stdin: "ignore", timeout: 1_400_000 },
  );
  expect((await readFile(at("said"), "utf8")).trim().split("\n")).toEqual([
    `${purl("2-1")} 1`,
    "fixed by the live patch kgraft_patch_2_1 in the running kernel 6.1.0-55-cloud-amd64",
    `${purl("1-1")} 0`,
    `${purl("2-1")} 1`,
    "under_investigation the live patch was retracted: it deadlocks",
    `${purl("1-1")} 0`,
    expect.stringMatching(/^refused: .*mended/),
    `${image("6.1.192-1")} 1`,
    expect.stringMatching(/^fixed /),
    `${image("6.1.193-1")} 0`,
  ]);
}, 1_500_000);
