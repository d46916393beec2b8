import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { idleMachine, type Machine, makeMachine } from "../test/machine.ts";
import { parseConfig } from "./config.ts";
import { defaultPolicy } from "./policy.ts";

describe("parseConfig() reads", () => {
  test.each([
    ["UNKNOWN_MODULE=refuse", { unknownModule: "refuse" }],
    ['UNSIGNED_MODULE="warn"', { unsignedModule: "warn" }],
    ["REFUSED_TAINTS=", { refusedTaints: "" }],
    ["REFUSED_TAINTS='OE' # out of tree, unsigned", { refusedTaints: "OE" }],
    ["  TRANSITION_TIMEOUT=0.5\r", { transitionTimeoutMs: 500 }],
    ["ON_TIMEOUT=reverse\nON_TIMEOUT=wait", { onTimeout: "wait" }],
    ["# NUDGE=no\n\n\t#x", { nudge: true }],
    ["NUDGE=no", { nudge: false }],
    ["LIVEPATCH_KERNEL=never", { livepatchKernel: "never" }],
  ])("%j", (text, wanted) => {
    expect(parseConfig(text)).toMatchObject({ policy: { ...defaultPolicy, ...wanted }, problems: [] });
  });
});

describe("parseConfig() keeps the default where it finds", () => {
  test.each([
    ["NUDGE = no", 'found "NUDGE = no", wanted KEY=value'],
    ["nudge=no", "wanted KEY=value"],
    ["export NUDGE=no", "wanted KEY=value"],
    ["NUGDE=no", "there is no setting NUGDE"],
    ["NUDGE=No", 'NUDGE is "No", wanted yes, no; NUDGE'],
    ["NUDGE=$(reboot)", 'NUDGE is "$(reboot)"'],
    ["TRANSITION_TIMEOUT=-1", 'TRANSITION_TIMEOUT is "-1", wanted seconds from 0 to 86400'],
    ["TRANSITION_TIMEOUT=1e3", 'TRANSITION_TIMEOUT is "1e3"'],
    ["TRANSITION_TIMEOUT=86401", 'TRANSITION_TIMEOUT is "86401"'],
    ["TRANSITION_TIMEOUT=", 'TRANSITION_TIMEOUT is ""'],
    ['ON_TIMEOUT="wait', 'ON_TIMEOUT is "\\"wait"'],
    ["ON_TIMEOUT=wait reverse", 'ON_TIMEOUT is "wait reverse"'],
    ["REFUSED_TAINTS=b", 'REFUSED_TAINTS is "b", wanted capital letters or nothing'],
  ])("%j", (line, message) => {
    const { policy, problems } = parseConfig(`\n${line}\n`);
    expect(policy).toEqual(defaultPolicy);
    expect(problems).toEqual([{ line: 2, message: expect.stringContaining(message) as string }]);
  });

  test("anything at all", () => {
    const word = fc.constantFrom("NUDGE", "=", "no", "'", '"', "#", " ", "\n", "ON_TIMEOUT", "\u0000", "é");
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string())), (words) => {
        const { entries, problems } = parseConfig(words.join(""));
        expect(entries.length).toBe(Object.keys(defaultPolicy).length);
        expect(problems.every(({ line }) => line > 0)).toBe(true);
      }),
    );
  });
});

describe("the default file etc/kgr/kgr.conf", () => {
  const text = readFileSync(new URL("../etc/etc/kgr/kgr.conf", import.meta.url), "utf8");

  test("changes nothing", () => {
    expect(parseConfig(text)).toMatchObject({ policy: defaultPolicy, problems: [] });
  });

  test("names every setting with its default", () => {
    const { policy, entries, problems } = parseConfig(text.replaceAll(/^#(?=[A-Z_]+=)/gm, ""));
    expect({ policy, problems }).toEqual({ policy: defaultPolicy, problems: [] });
    expect(entries.filter(({ line }) => line === null)).toEqual([]);
  });
});

function machine(text: string | null): Machine {
  return makeMachine({ ...idleMachine, ...(text !== null && { "/etc/kgr/kgr.conf": text }) });
}

describe("kgr config", () => {
  test("prints what is in force and where it comes from", async () => {
    const { status, out, err } = await machine("# mine\nON_TIMEOUT=reverse\nTRANSITION_TIMEOUT=30\n").kgr(
      "config",
    );
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out).toContain("NUDGE=yes               # default\n");
    expect(out).toContain("ON_TIMEOUT=reverse      # /etc/kgr/kgr.conf:2\n");
    expect(out).toContain("TRANSITION_TIMEOUT=30   # /etc/kgr/kgr.conf:3\n");
    expect(parseConfig(out).problems).toEqual([]);
  });

  test("names what is bad, by file and line", async () => {
    const { status, out, err } = await machine("NUDGE=no\nON_TIMEOUT=\u001b[2J\n").kgr("config");
    expect(status).toBe(65);
    expect(err).toBe(
      'kgr: /etc/kgr/kgr.conf:2: ON_TIMEOUT is "\\u001b[2J", wanted report, wait, reverse; ON_TIMEOUT=report stays in force\n     mend that file, and look with: kgr config\n',
    );
    expect(out).toContain("NUDGE=no ");
  });

  test("a file that cannot be read", async () => {
    const host = machine(null);
    host.put({ "/etc/kgr/kgr.conf/a": "" });
    const { status, err } = await host.kgr("config");
    expect(status).toBe(65);
    expect(err).toBe(
      "kgr: /etc/kgr/kgr.conf: it cannot be read (EISDIR); all defaults stay in force\n     mend that file, and look with: kgr config\n",
    );
  });

  test("no file", async () => {
    const { status, out } = await machine(null).kgr("config");
    expect(status).toBe(0);
    expect(out).not.toContain("/etc");
  });
});

describe("a bad line in the policy", () => {
  test("is told by a command that goes by it, which runs all the same", async () => {
    const { status, out, err } = await machine("x\n").kgr("wait");
    expect({ status, out }).toEqual({ status: 0, out: "ready\n" });
    expect(err).toMatch(
      /^kgr: \/etc\/kgr\/kgr\.conf:1: .+\n {5}mend that file, and look with: kgr config\n$/,
    );
  });

  test("is no business of one that only looks", async () => {
    expect(await machine("x\n").kgr("status")).toEqual({ status: 0, out: "ready\n", err: "" });
  });
});
