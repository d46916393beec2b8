import { expect, test } from "vitest";
import { isThere, type Machine, makeMachine } from "../test/machine.ts";
import { insertModule, removeModule } from "./modules.ts";

function machineWith(program: string, script: string): Machine {
  return makeMachine({ [`/usr/sbin/${program}`]: `#!/bin/sh\n${script}\n` });
}

test("insertModule() runs insmod with the file, in English", async () => {
  const machine = machineWith("insmod", 'echo "$1" >"$ROOT/called"');
  await insertModule(machine.system, { path: "/p/lp.ko", name: "lp" }, 10_000);
  expect(machine.read("/called")).toBe("/p/lp.ko\n");
});

test("insertModule() takes busybox where there is no insmod", async () => {
  const machine = makeMachine({ "/bin/busybox": '#!/bin/sh\necho "$1 $2" >"$ROOT/called"\n' });
  await insertModule(machine.system, { path: "/p/lp.ko", name: "lp" }, 10_000);
  expect(machine.read("/called")).toBe("insmod /p/lp.ko\n");
});

test.each([
  ["kmod", "rmmod: ERROR: Module lp is in use"],
  ["kmod", "insmod: ERROR: could not insert module lp.ko: Device or resource busy"],
  ["busybox", "rmmod: remove 'lp': Resource temporarily unavailable"],
])("removeModule() waits out what is busy: %s: %s", async (_, message) => {
  const script = `echo x >>"$ROOT/calls"; test $(wc -l <"$ROOT/calls") = 3 || { echo "${message}" >&2; exit 1; }`;
  const machine = machineWith("rmmod", script);
  await removeModule(machine.system, "lp", 10_000);
  expect(machine.read("/calls")).toBe("x\nx\nx\n");
});

test("removeModule() gives up on what stays busy", async () => {
  const machine = machineWith(
    "rmmod",
    'echo x >>"$ROOT/calls"; echo "rmmod: ERROR: Module lp is in use" >&2; exit 1',
  );
  await expect(removeModule(machine.system, "lp", 10_000)).rejects.toMatchObject({
    name: "KernelRefusedError",
    message: "cannot remove lp: rmmod: ERROR: Module lp is in use",
  });
  expect(machine.read("/calls").length / 2).toBe(41);
});

test.each([
  ["Key was rejected by service", /signature/],
  ["Required key not available", /signature/],
  ["Operation not permitted", /locked down/],
  ["Invalid module format", /another kernel/],
  ["Unknown symbol in module", /lacks/],
  ["No such device", /cannot replace/],
  ["Cannot allocate memory", /free some/],
  ["Nonsense \u001b[31m", /dmesg/],
])("insertModule() explains: %s", async (said, hint) => {
  const machine = machineWith("insmod", `echo "insmod: ERROR: could not insert module: ${said}" >&2; exit 1`);
  await expect(insertModule(machine.system, { path: "lp.ko", name: "lp" }, 10_000)).rejects.toMatchObject({
    name: "KernelRefusedError",
    message: expect.stringMatching(
      /^cannot insert lp.ko: insmod: ERROR: could not insert module: [\u0020-\u007e]+$/,
    ) as string,
    hint: expect.stringMatching(hint) as string,
  });
});

test("insertModule() tells what the kernel complains of, not what it said before or on the way", async () => {
  const log = ["livepatch: enabling patch 'lp'", "livepatch: symbol 'gone' not found in symbol table"];
  const lines = log.map((message, at) => `5,${at + 2},1000,-;${message}`).join("\n");
  const script = `printf "%s\\n" "${lines}" >>"$ROOT/dev/kmsg"; echo "Invalid argument" >&2; exit 1`;
  const machine = machineWith("insmod", script);
  machine.put({ "/dev/kmsg": "5,1,900,-;livepatch: failed to patch object 'vmlinux'\n" });
  await expect(insertModule(machine.system, { path: "lp.ko", name: "lp" }, 10_000)).rejects.toMatchObject({
    hint: "livepatch: symbol 'gone' not found in symbol table",
  });
});

test("insertModule() stops retrying when interrupted", async () => {
  const machine = machineWith("insmod", 'echo "Device or resource busy" >&2; exit 1');
  machine.onSleep = () => machine.interrupt();
  await expect(insertModule(machine.system, { path: "lp.ko", name: "lp" }, 10_000)).rejects.toMatchObject({
    name: "InterruptedError",
  });
});

test("insertModule() wants insmod or busybox", async () => {
  const machine = makeMachine({});
  await expect(insertModule(machine.system, { path: "lp.ko", name: "lp" }, 10_000)).rejects.toMatchObject({
    name: "MissingProgramError",
  });
  expect(isThere(machine, "/usr/sbin/insmod")).toBe(false);
});
