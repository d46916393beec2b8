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
import { pairFiles, store } from "../test/store.ts";
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
  ["downgrade", "--yes", "--timeout", "0"],
  ["load", "/p/lp_new.ko", "--timeout", "0"],
  ["install", "/p/lp_new.ko"],
  ["uninstall", "lp_demo"],
  ["boot", "--timeout", "0"],
  ["boot", "--shutdown"],
])("kgr %s with mishaps", async (...argv) => {
  const codes = new Set([0, 1, 2, 3, 4, 5, 6, 7, 64, 65, 66, 69, 74, 77, 124, 130]);
  const machine = applying();
  await fc.assert(
    fc.asyncProperty(fc.array(mishap, { maxLength: 40 }), async (mishaps) => {
      machine.put(livePatchFiles("lp_demo", 1, 1));
      const said = { out: "", err: "" };
      const system: System = {
        ...withMishaps(machine.system, mishaps),
        print: (stream, text) => void (said[stream] += text),
      };
      const status = await main(system, argv);
      expect({ known: codes.has(status), status, said }).toMatchObject({ known: true });
      expect(said.err).not.toMatch(/unexpected|undefined|NaN|\[object|\n\s+at /);
    }),
    { numRuns: 25 },
  );
});
