import { describe, expect, test } from "vitest";
import { idleMachine, livePatchFiles, type Machine, makeMachine, manifestText } from "../test/machine.ts";
import { fixesInForce, manifestsInForce, noteFixesInForce, timestamp } from "./in-force.ts";

const leak = { id: "CVE-2026-10000", title: "a leak" };
const race = { id: "CVE-2026-9999", title: "a race" };
const note = "/run/kgr/in-force.json";

function machineWith(files: Readonly<Record<string, string>>): Machine {
  return makeMachine({ ...idleMachine, ...files });
}

function patch(name: string, fixes: readonly object[], transition: 0 | 1 = 0): Record<string, string> {
  return {
    ...livePatchFiles(name, 1, transition),
    [`/run/kgr/${name}.json`]: manifestText({ name, fixes }),
  };
}

async function since({ system }: Machine): Promise<Record<string, string | null>> {
  const fixes = fixesInForce(system, await manifestsInForce(system));
  return Object.fromEntries(
    fixes.map(({ id, sinceMs }) => [id, sinceMs === null ? null : timestamp(system, sinceMs)]),
  );
}

describe("fixesInForce()", () => {
  test("each fix once, by number, from the patches whose transition has ended", async () => {
    const { system } = machineWith({
      ...patch("a", [leak, race]),
      ...patch("b", [race]),
      ...patch("c", [{ id: "X", title: "" }], 1),
    });
    const fixes = fixesInForce(system, await manifestsInForce(system));
    expect(fixes.map(({ id, patch: by }) => [id, by])).toEqual([
      ["CVE-2026-9999", "a"],
      ["CVE-2026-10000", "a"],
    ]);
  });

  test("the time is the kernel's where nobody waited, null where it says none", async () => {
    const machine = machineWith(patch("a", [leak]));
    await machine.system.sleep(5000);
    expect(await since(machine)).toEqual({ [leak.id]: null });
    machine.put({
      "/dev/kmsg":
        "5,1,900000,-;livepatch: 'a': patching complete\n5,2,1000000,-;livepatch: 'a': unpatching complete\n" +
        "5,3,2000000,-;livepatch: 'a': patching complete\n5,4,3000000,-;livepatch: 'ab': patching complete\n",
    });
    expect(await since(machine)).toEqual({ [leak.id]: "2026-11-24T14:00:02Z" });
  });

  test.each([
    ["no JSON", "{"],
    ["null", "null"],
    ["a text", `{"${leak.id}":"x"}`],
    ["the future", `{"${leak.id}":9e15}`],
  ])("a note that is %s counts for nothing", async (_, text) => {
    expect(await since(machineWith({ ...patch("a", [leak]), [note]: text }))).toEqual({ [leak.id]: null });
  });
});

describe("noteFixesInForce()", () => {
  test("keeps the time of a fix that a cumulative patch brings again, and forgets what is gone", async () => {
    const machine = machineWith(patch("a", [leak, race]));
    await machine.system.sleep(1000);
    await noteFixesInForce(machine.system);
    machine.remove("/sys/kernel/livepatch/a");
    machine.put(patch("b", [leak, { id: "CVE-2026-2", title: "new" }]));
    await machine.system.sleep(3_600_000);
    await noteFixesInForce(machine.system);
    expect(await since(machine)).toEqual({
      "CVE-2026-2": "2026-11-24T15:00:01Z",
      [leak.id]: "2026-11-24T14:00:01Z",
    });
    expect(Object.keys(JSON.parse(machine.read(note)) as object)).not.toContain(race.id);
  });

  test("a clock that was wrong at the time and is right now", async () => {
    const machine = machineWith(patch("a", [leak]));
    machine.epochMs = 0;
    await machine.system.sleep(1000);
    await noteFixesInForce(machine.system);
    machine.epochMs = Date.UTC(2026, 10, 24);
    expect(await since(machine)).toEqual({ [leak.id]: "2026-11-24T00:00:01Z" });
  });

  test("no place to write: the change has been made all the same", async () => {
    const machine = machineWith({ ...livePatchFiles("a", 1, 0), "/run/kgr": "a file" });
    await expect(noteFixesInForce(machine.system)).resolves.toBeUndefined();
  });
});
