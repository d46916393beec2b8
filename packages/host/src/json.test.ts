/** What each command prints with --json, against the published schemas in docs/schema. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import {
  idleMachine,
  livePatchFiles,
  type Machine,
  makeMachine,
  manifestText,
  threadFiles,
} from "../test/machine.ts";
import { livePatchInfo, moduleFile } from "../test/module.ts";
import { machineWithStore, pairFiles, store } from "../test/store.ts";

function readSchema(name: string): object {
  return JSON.parse(
    readFileSync(new URL(`../../../docs/schema/${name}.json`, import.meta.url), "utf8"),
  ) as object;
}

const insmod = `#!/bin/sh
mkdir -p $ROOT/sys/kernel/livepatch/lp_demo
echo 1 >$ROOT/sys/kernel/livepatch/lp_demo/enabled; echo 0 >$ROOT/sys/kernel/livepatch/lp_demo/transition
`;
const rmmod = "#!/bin/sh\nrm -r $ROOT/sys/kernel/livepatch/lp_demo\n";
const fixes = [
  { id: "CVE-2026-0001", title: "a leak", cvss: { vector: "CVSS:3.1/AV:L/AC:L", score: 7.8 } },
  { id: "bsc#1", title: "slow" },
];

function idle(): Machine {
  return makeMachine({
    ...idleMachine,
    "/usr/sbin/insmod": insmod,
    "/usr/sbin/rmmod": rmmod,
    "/p/lp_demo.ko": moduleFile(livePatchInfo),
  });
}
function active(): Machine {
  const machine = idle();
  machine.put({
    ...livePatchFiles("lp_demo", 1, 0),
    "/run/kgr/in-force.json": '{"CVE-2026-0001":0}',
    "/run/kgr/lp_demo.json": manifestText({
      fixes,
      effective: { release: "6.1.0-58", packageVersion: "6.1.201-1" },
    }),
  });
  return machine;
}
function applying(): Machine {
  const machine = active();
  machine.put({ ...livePatchFiles("lp_demo", 1, 1), ...threadFiles(20, 21, "0", "sleep\u0000100\u0000") });
  return machine;
}
function disabled(): Machine {
  const machine = active();
  machine.put(livePatchFiles("lp_demo", 0, 0));
  return machine;
}

function downgradable(): Machine {
  return machineWithStore({ ...livePatchFiles("kgraft_2", 1, 0), ...pairFiles(store, "kgraft_1") });
}

function withStore(): Machine {
  return machineWithStore({ ...pairFiles("/p", "kgraft_1"), ...pairFiles(store, "kgraft_2") });
}

/** The test's own packages, as the machine's own dpkg-query lists them. */
function withPackages(): Machine {
  const machine = active();
  machine.put({
    "/usr/bin/dpkg-query": '#!/bin/sh\nexec dpkg-query --admindir="$ROOT/var/lib/dpkg" "$@"\n',
    "/etc/os-release": "ID=debian\n",
    "/var/lib/dpkg/status":
      "Package: zip\nStatus: install ok installed\nArchitecture: all\nVersion: 3\nMaintainer: a <a@b>\nDescription: x\n",
    "/var/lib/lifecycle/data/kgraft.lifecycle": "zip, *, 2027-01-01\nkgraft-patch-*, *, 2027-01-01\n",
  });
  return machine;
}

/** Each command, the schema of what it prints, and machines on which it has something to say. */
const documents: Readonly<
  Record<string, readonly [schema: string, line: string, machines: readonly (() => Machine)[]]>
> = {
  status: ["kgr-status", "status", [idle, active, applying, withStore]],
  check: ["kgr-status", "check", [idle, applying]],
  patches: ["kgr-patches", "patches", [idle, active, applying, disabled]],
  blocking: ["kgr-blocking", "blocking", [idle, applying]],
  blocking_threads: ["kgr-blocking", "blocking_threads", [idle, applying]],
  load: ["kgr-transition", "load /p/lp_demo.ko --no-wait", [idle]],
  enable: ["kgr-transition", "enable lp_demo", [active]],
  disable: ["kgr-transition", "disable lp_demo --no-wait", [active]],
  unload: ["kgr-transition", "unload lp_demo", [disabled]],
  downgrade: ["kgr-transition", "downgrade --dry-run", [downgradable]],
  install: ["kgr-install", "install /p/kgraft_1.ko", [withStore]],
  uninstall: ["kgr-install", "uninstall kgraft_2 --dry-run", [withStore]],
  boot: ["kgr-boot", "boot", [idle, withStore]],
  "boot --dry-run": ["kgr-boot", "boot --dry-run", [idle, withStore]],
  poke: ["kgr-poke", "poke", [idle, applying]],
  force: ["kgr-transition", "force --yes", [idle]],
  wait: ["kgr-transition", "wait", [idle, active]],
  fixes: ["kgr-fixes", "fixes", [idle, active]],
  uname: ["kgr-uname", "uname", [idle, active]],
  lifecycle: ["kgr-lifecycle", "lifecycle", [withPackages]],
  metrics: ["kgr-metrics", "metrics", [idle, active, applying]],
  verify: ["kgr-verify", "verify", [idle, active, applying]],
  config: ["kgr-config", "config", [idle]],
  completion: ["kgr-completion", "completion fish", [idle]],
};
/** Their documents have formats of their own (commands/vex.test.ts). */
const others: readonly string[] = ["vex"];

test("every command is told of here", async () => {
  const { out } = await idle().kgr("--help");
  const commands = [...out.matchAll(/^ {2}([a-z_]+)/gm)].map(([, name]) => name ?? "");
  const told = [...Object.keys(documents), ...others].map((line) => line.split(" ")[0]);
  expect(new Set(commands)).toEqual(new Set(told));
});

describe.each(Object.entries(documents))("kgr %s --json", (_, [schema, line, machines]) => {
  const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(readSchema(schema));

  test.each(machines)("%o", async (machine) => {
    const { out, err } = await machine().kgr(...line.split(" "), "--json");
    expect(out).toMatch(/^[^\n]+\n$/);
    const document: unknown = JSON.parse(out);
    validate(document);
    expect({ document, errors: validate.errors, err: err.replace(/.*no manifest.*\n/, "") }).toEqual({
      document,
      errors: null,
      err: "",
    });
  });

  test("and nothing else", () => {
    expect(validate({})).toBe(false);
    expect(validate({ other: 1 })).toBe(false);
  });
});

test("manifest.json accepts what kgr reads", () => {
  const validate = new Ajv2020().compile(readSchema("manifest"));
  expect(validate(JSON.parse(manifestText({ fixes })))).toBe(true);
  expect(validate(JSON.parse(manifestText({ fixes: [{ id: 1 }] })))).toBe(false);
});
