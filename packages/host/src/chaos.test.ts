/**
 * Files under /sys, /proc and /run that vanish between two reads, hold nonsense, or cannot be read: each read may
 * answer so, at random. Whatever comes, a command ends with an exit code of its own and says what to type; it never
 * meets what it did not expect.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { kcoreFile } from "../test/kcore.ts";
import {
  idleMachine,
  livePatchFiles,
  type Machine,
  makeMachine,
  manifestText,
  threadFiles,
} from "../test/machine.ts";
import { pairFiles, replacingInsmod, store } from "../test/store.ts";
import { main } from "./mod.ts";
import { type System, SystemError } from "./system.ts";

function applying(): Machine {
  return makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 1),
    ...threadFiles(20, 20, "0", "sleep\u0000100\u0000"),
    ...threadFiles(3, 3, "0"),
    "/run/kgr/lp_demo.json": manifestText({ fixes: [{ id: "CVE-2026-0001", title: "a leak" }] }),
    "/run/kgr/in-force.json": '{"CVE-2026-0001":0}',
    "/run/kgr/load-history.json": '[{"name":"lp_demo","path":"/p/lp_demo.ko"}]',
    "/etc/kgr/kgr.conf": "NUDGE=no\n",
    ...pairFiles("/p", "lp_new"),
    ...pairFiles(store, "lp_demo"),
    "/var/lib/kgr/guard.json": '{"wentDown":[],"good":[]}',
    "/usr/sbin/insmod": "#!/bin/sh\nexit 0\n",
    "/usr/sbin/rmmod": "#!/bin/sh\nexit 0\n",
    "/proc/kcore": kcoreFile([{ address: -0x7effff00n, bytes: new Uint8Array(9) }]),
    "/proc/kallsyms": "ffffffff81000100 t cmdline_proc_show\n",
    "/sys/kernel/tracing/enabled_functions": "cmdline_proc_show (1)   I  \t->x+0x0/0x1\n",
    "/sys/kernel/debug/kprobes/list": "ffffffff8bff5980  k  cmdline_proc_show+0x0    [FTRACE]\n",
  });
}

/** How the reads of one run go wrong, one after the other; then all is well. */
type Mishap = "none" | "ENOENT" | "EACCES" | "EIO" | "ESRCH" | "empty" | Uint8Array;

function withMishaps(system: System, mishaps: readonly Mishap[]): System {
  let at = 0;
  const next = (file: string): Mishap => {
    const mishap = mishaps[at++] ?? "none";
    if (mishap === "none" || mishap === "empty" || typeof mishap !== "string") {
      return mishap;
    }
    throw new SystemError("read", file, mishap);
  };
  return {
    ...system,
    readBytes(file, limitBytes) {
      const mishap = next(file);
      return typeof mishap !== "string"
        ? mishap
        : mishap === "empty"
          ? new Uint8Array()
          : system.readBytes(file, limitBytes);
    },
    readBytesAt(file, offset, lengthBytes) {
      const mishap = next(file);
      return typeof mishap === "string"
        ? system.readBytesAt(file, offset, mishap === "empty" ? 0 : lengthBytes)
        : mishap.subarray(0, lengthBytes);
    },
    readPieces(file, use) {
      const mishap = next(file);
      if (typeof mishap !== "string") {
        use(mishap);
      } else if (mishap !== "empty") {
        system.readPieces(file, use);
      }
    },
    readDirectory(file) {
      const mishap = next(file);
      return mishap === "empty"
        ? []
        : typeof mishap === "string"
          ? system.readDirectory(file)
          : ["", "x", "1"];
    },
  };
}

const mishap = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Mishap>("none") },
  fc.constantFrom<Mishap>("ENOENT", "EACCES", "EIO", "ESRCH", "empty"),
  fc.uint8Array({ maxLength: 200 }),
  fc.string().map((text) => new Uint8Array(Buffer.from(text))),
);

test.each([
  ["status", "-v"],
  ["check"],
  ["patches", "-v", "-v"],
  ["blocking", "-v", "-v"],
  ["blocking_threads"],
  ["wait", "--timeout", "0"],
  ["disable", "lp_demo", "--timeout", "0"],
  ["enable", "lp_demo", "--timeout", "0"],
  ["force", "--yes"],
  ["poke"],
  ["fixes"],
  ["uname"],
  ["vex"],
  ["metrics"],
  ["config"],
  ["verify", "-v"],
  ["unload", "lp_demo", "--timeout", "0"],
  ["load", "/p/lp_new.ko", "--timeout", "0"],
  ["install", "/p/lp_new.ko"],
  ["uninstall", "lp_demo"],
  ["boot", "--timeout", "0"],
  ["boot", "--shutdown"],
])("kgr %s with mishaps", async (...argv) => {
  const machine = applying();
  const reset = (): void => machine.put(livePatchFiles("lp_demo", 1, 1));
  expect((await ends(machine, reset, argv)).size).toBeGreaterThan(0);
});

test("kgr downgrade with mishaps, from what is in force to what is installed", async () => {
  const machine = makeMachine({
    ...idleMachine,
    "/proc/sys/kernel/random/boot_id": "boot-1\n",
    "/run/kgr/load-history.json": '[{"name":"lp_1","path":"/p/lp_1.ko"},{"name":"lp_3","path":"/p/lp_3.ko"}]',
    "/var/lib/kgr/guard.json": '{"wentDown":[],"good":[]}',
    "/usr/sbin/insmod": replacingInsmod,
    "/usr/bin/sync": "#!/bin/sh\n",
    ...pairFiles("/p", "lp_1"),
    ...pairFiles("/p", "lp_3"),
    ...pairFiles(store, "lp_2"),
    ...livePatchFiles("lp_3", 1, 0),
  });
  const reset = (): void => {
    machine.remove("/sys/kernel/livepatch");
    machine.remove("/sys/module");
    machine.put({ ...livePatchFiles("lp_3", 1, 0), "/proc/modules": "" });
  };
  expect(await ends(machine, reset, ["downgrade", "--yes", "--timeout", "0"])).toContain(0);
});

/** Runs a command again and again, each time with other mishaps. @returns how it ended, all of them in order */
async function ends(machine: Machine, reset: () => void, argv: readonly string[]): Promise<Set<number>> {
  const seen = new Set<number>();
  const codes = new Set([0, 1, 2, 3, 4, 5, 6, 7, 64, 65, 66, 69, 74, 77, 124, 130]);
  await fc.assert(
    fc.asyncProperty(fc.array(mishap, { maxLength: 40 }), async (mishaps) => {
      reset();
      const said = { out: "", err: "" };
      const system: System = {
        ...withMishaps(machine.system, mishaps),
        print: (stream, text) => void (said[stream] += text),
      };
      const status = await main(system, argv);
      seen.add(status);
      expect({ known: codes.has(status), status, said }).toMatchObject({ known: true });
      expect(said.err).not.toMatch(/unexpected|undefined|NaN|\[object|\n\s+at /);
      // 1 and 7 are answers of check and verify too.
      const answered = status === 0 || ((status === 1 || status === 7) && said.err === "");
      expect({ status, said, hint: /^ {5}\S.*\n$/m.test(said.err) || answered }).toMatchObject({
        hint: true,
      });
    }),
    { numRuns: 25, examples: [[[]]] },
  );
  return seen;
}
