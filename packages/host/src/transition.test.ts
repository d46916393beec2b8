import { describe, expect, test } from "vitest";
import { idleMachine, livePatchFiles, type Machine, makeMachine, threadFiles } from "../test/machine.ts";
import { followTransition } from "./transition.ts";

function machineInTransition(): Machine {
  return makeMachine({
    ...idleMachine,
    ...livePatchFiles("lp_demo", 1, 1),
    ...threadFiles(20, 20, "0", "sleep\u0000100\u0000"),
    ...threadFiles(30, 30, "1"),
  });
}

function finish(machine: Machine): void {
  machine.put({ "/sys/kernel/livepatch/lp_demo/transition": "0\n" });
}

describe("followTransition()", () => {
  test("returns at once when none is in transition, and says nothing", async () => {
    const machine = makeMachine(idleMachine);
    machine.onSleep = () => expect.unreachable();
    await followTransition(machine.system, {
      timeoutMs: 0,
      onTimeout: "report",
      nudge: true,
      progress: true,
    });
    expect((await machine.kgr("wait")).err).toBe("");
  });

  test("returns when the transition ends, and counts down in lines", async () => {
    const machine = machineInTransition();
    machine.onSleep = (count) => count === 5 && finish(machine);
    const { status, out, err } = await machine.kgr("wait");
    expect({ status, out, err }).toEqual({
      status: 0,
      out: "ready\n",
      err: "lp_demo: in_progress, 1 task left\n",
    });
  });

  test.each([
    [12, "1 task left"],
    [20, "1 task left"],
    [30, "lp_demo: 1 task left"],
    [40, "lp_demo: in_progress, 1 task left"],
    [80, "[....................] lp_demo: in_progress, 1 task left"],
  ])("writes one line again on a terminal of %i columns, what matters most", async (columns, line) => {
    const machine = machineInTransition();
    machine.columns = columns;
    machine.onSleep = (count) => count === 3 && finish(machine);
    const { err } = await machine.kgr("wait");
    expect(err).toBe(`\r\u001b[K${line}\r\u001b[K`);
  });

  test("names the tasks that block at the time limit, and how to go on or back", async () => {
    const { status, out, err } = await machineInTransition().kgr("wait", "--timeout", "0.02", "--json");
    expect({ status, out }).toEqual({ status: 124, out: "" });
    expect(err).toBe(
      "kgr: cannot wait longer than 0.02 s: lp_demo is still applying, 1 task left: 20 sleep 100\n" +
        "     see why with: kgr -v -v blocking; go on waiting with: kgr wait; turn back with: kgr disable lp_demo\n",
    );
  });

  test("names five processes at most", async () => {
    const machine = machineInTransition();
    for (let pid = 40; pid < 50; pid++) {
      machine.put(threadFiles(pid, pid, "0", `job${pid}\u0000`));
    }
    const { err } = await machine.kgr("wait", "--timeout", "0", "--json");
    expect(err).toContain(
      "11 tasks left: 20 sleep 100, 40 job40, 41 job41, 42 job42, 43 job43, and 6 more\n",
    );
  });

  test("ends when interrupted, with the transition as it is", async () => {
    const machine = machineInTransition();
    machine.onSleep = () => machine.interrupt();
    const { status, err } = await machine.kgr("wait", "--json");
    expect(status).toBe(130);
    expect(err).toContain("kgr: cannot go on waiting: interrupted; lp_demo is still applying");
  });
});
